-- Stops: one row at the scope of its cause, and `lane.stopped` derived from the open ones. All changes to stops follow each other
-- under one lock, so that no lane is derived from a set of stops that another transaction is changing.

-- name: lock_stops
-- Ordered before lanes, and after the lock of a tenant's holds where both are taken.
select pg_advisory_xact_lock(20555, 0);

-- name: count_refusal
-- One more call that was refused for an open stop, with SES's latest words.
update stop set hits = hits + $4, last_seen = now_ms(), said = case when $5 = '' then said else $5 end
where scope = $1 and name = $2 and cause = $3 and ended_at is null
returning *;

-- name: insert_stop
-- A stop that ended in the last two minutes and comes back continues its back-off, so that a refusal that is over only for a
-- moment costs no probe a second.
insert into stop (scope, name, tenant, lane, cause, because, said, urgent, hits, since, last_seen, probe_at, probes)
select $1, $2, $3, $4, $5, $6, $7, u.urgent, $9, now_ms(), now_ms(),
       now_ms() + least($8::bigint << least(b.probes, 12), case when u.urgent then 30000 else 60000 end), b.probes
from (
    select $1 in ('cell', 'worker')
           or exists (select from lane l where l.id in (select lanes_under($1, $2)) and l.class = 0 and l.retired_at is null) as urgent
) u, (
    select coalesce((
        select e.probes from stop e
        where e.scope = $1 and e.name = $2 and e.cause = $5 and e.ended_at > now_ms() - 120000
        order by e.ended_at desc limit 1
    ), 0) as probes
) b
returning *;

-- name: end_stops
-- Stops that ended already stay as they are.
update stop set ended_at = now_ms(), ended_by = $2, ended_because = $3
where id = any($1) and ended_at is null
returning *;

-- name: lanes_under
-- The lanes that stops of this scope and name cover.
select lanes_under($1, $2) as lane;

-- name: lock_covered
-- In the order of their ids, as everywhere. `for no key update` does not block accept's foreign keys.
select id from lane where id = any($1) order by id for no key update;

-- name: derive_stopped
-- `stopped` depends only on the set of open stops: a lane is stopped once all of its paths are. The release time starts the ramp if mail has gathered, as after a hold.
with covered as (
    select lanes_stopped($1::int[]) as lane
)
update lane l
set stopped = d.stopped,
    released_at = case
        when d.stopped then l.released_at
        when exists (select from ready r where r.lane = l.id) or exists (select from waiting w where w.lane = l.id) then now_ms()
    end
from (select x.id, x.id in (select lane from covered) as stopped from unnest($1::int[]) x (id)) d
where l.id = d.id and l.stopped is distinct from d.stopped
returning l.id, l.turn, l.stopped, l.held;

-- name: take_probes
-- Takes the stops whose probe is due, each for one dispatcher, and says when the next one is. A dispatcher tests its own stop; an
-- outage ends by the window of its dispatcher (docs/send-path.md), and a person settles a restored database (docs/backup.md).
with due as (
    select id from stop
    where ended_at is null and probe_at <= now_ms() and (scope <> 'worker' or name = $1) and cause not in ('outage', 'restored')
    order by probe_at limit 8
    for update skip locked
)
update stop s
set probes = s.probes + 1,
    probe_at = now_ms() + least($2::bigint << least(s.probes + 1, 12), case when s.urgent then 30000 else 60000 end)
from due where s.id = due.id
returning s.*;

-- name: probe_lane
-- The lane whose route carries the test mail: never one that a hold closes. One with another stop tells little, so it is used
-- only if there is no better one. The lanes take turns: what is wrong with one of them must not keep the stop open for all.
with last as (
    select probe_lane as lane from stop where id = $1
), next as (
    select l.id
    from lane l, last
    where l.retired_at is null and not l.held and l.id in (select lanes_under($2, $3))
    order by l.id is not distinct from last.lane, exists (select from stops_of(array[l.id]) o where o.stop <> $1),
             l.id <= last.lane, case when last.lane is null then l.class end, l.id
    limit 1
)
update stop s set probe_lane = next.id from next where s.id = $1 returning s.probe_lane;

-- name: any_probe_lane
-- As `probe_lane`, for a stop that covers every lane.
with last as (
    select probe_lane as lane from stop where id = $1
), next as (
    select l.id
    from lane l, last
    where l.retired_at is null and not l.held and exists (select from route r where r.lane = l.id)
    order by l.id is not distinct from last.lane, l.stopped, l.id <= last.lane, l.id
    limit 1
)
update stop s set probe_lane = next.id from next where s.id = $1 returning s.probe_lane;

-- name: record_probe
-- What the last probe found; the stop goes on.
update stop set last_probe = $2 where id = $1 and ended_at is null;

-- name: probe_soon
-- A repair at SES may have ended the cause: the open stops of routes are tested now, not when their back-off is over.
update stop set probe_at = now_ms()
where ended_at is null and scope in ('set', 'identity', 'tenant', 'lane') and probe_at > now_ms();

-- name: lane_name
-- For the words of the audit trail, as those of holds name a lane.
select t.name || ' of ' || e.slug from lane l join message_type t on t.id = l.type join tenant e on e.id = l.tenant where l.id = $1;

-- name: account
-- What GetAccount said last, for the stops that it must agree to end.
select enabled, coalesce(quota_left >= 1, true) as has_quota from account_state where cell = $1;

-- name: stops_covering
-- The open stops that cover any of these lanes, with the number of lanes that each covers beside them. A dispatcher's own is left
-- to the dispatcher, that of a restored database to `mailcordon restored`.
select s.*, (select count(*) from lanes_under(s.scope, s.name) u (lane) where u.lane <> all ($1))::int as others
from stop s
where s.ended_at is null and s.cause <> 'restored' and (s.scope = 'cell' or s.id in (select stop from stops_of($1::int[])))
order by s.id;

-- name: stops_of_gone_workers
-- Stops of dispatchers that ended, or that were declared dead.
select s.id from stop s left join worker w on w.id::text = s.name
where s.ended_at is null and s.scope = 'worker' and (w.id is null or w.ended_at is not null)
order by s.id;

-- name: stops_of_no_lane
-- Stops of a route that no lane has any more: the lanes moved, or are retired. No test mail can end them. SES says itself that a
-- tenant may send again.
select s.id from stop s
where s.ended_at is null and s.scope in ('set', 'identity', 'tenant', 'lane') and s.cause <> 'tenant-paused'
  and not exists (select from lane l where l.retired_at is null and l.id in (select lanes_under(s.scope, s.name)))
order by s.id;
