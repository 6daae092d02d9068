-- Bulk moves beside the claims: expired mail leaves, held mail is parked, and what a hold gave back becomes ready along its ramp.

-- name: expire_ready
-- Ends expired mail that is still ready, lane by lane from the head of each: a million ready mails cost no more to check than one.
-- Also in lanes that no claim visits: held, stopped, or waiting for a rate.
with recursive lanes as (
    (select r.lane from ready r order by r.lane limit 1)
    union all
    select (select r.lane from ready r where r.lane > s.lane order by r.lane limit 1) from lanes s where s.lane is not null
), x as materialized (
    select h.lane, h.id
      from lanes s
     cross join lateral (select r.lane, r.id from ready r
                          where r.lane = s.lane and r.state = 0
                            and r.id < (select first_id_at(now_ms() - l.expiry_ms) from lane l where l.id = s.lane)
                            and ($2::bigint[] is null or r.id = any ($2)) and r.id <> all ($3::bigint[])
                          order by r.id limit $1) h
     limit $1
)
select count(f.id) as expired
  from (select array_agg(lane) as lanes, array_agg(id) as ids, array_agg(11::smallint) as states, array_agg('expired'::text) as reasons,
               array_agg({{expired_in_queue}}::text) as details
          from x having count(*) > 0) a
 cross join lateral queue_finish(a.lanes, a.ids, null, 1, a.states, null, null, a.reasons, a.details, 0) f;

-- name: any_expired
-- Whether `expire_ready` finds any, by the first mail of each lane.
with recursive lanes as (
    (select r.lane from ready r order by r.lane limit 1)
    union all
    select (select r.lane from ready r where r.lane > s.lane order by r.lane limit 1) from lanes s where s.lane is not null
)
select exists (select from lanes s
                where (select r.id from ready r where r.lane = s.lane and r.state = 0 order by r.id limit 1)
                      < (select first_id_at(now_ms() - l.expiry_ms) from lane l where l.id = s.lane));

-- name: any_waits_for_limit
-- Whether `waiting_limits` finds any.
select exists (select from waiting where send_limit is not null);

-- name: expired_page
-- The rows that `expire_ready` chooses from.
select r.lane, r.id from ready r join lane l on l.id = r.lane
 where (r.lane, r.id) > ($1::int, $2::bigint) and r.state = 0 and r.id < first_id_at(now_ms() - l.expiry_ms)
 order by r.lane, r.id limit $3;

-- name: lock_turns
-- A claim that needs one of these turns skips it meanwhile, so it never waits for a row that is being parked.
select t.id from turn t where t.id = any ($1::int[]) order by t.id for no key update;

-- name: lanes_of_tenants
-- Lanes in which a narrow hold may stop mail.
select l.id, l.tenant, l.class, l.turn from lane l where l.tenant = any ($1::int[]) and l.retired_at is null order by l.id;

-- name: ended_holds
-- Holds that have ended and under which mail still waits, with how far the giving back has come.
with recursive holds as (
    (select w.hold from waiting w where w.hold is not null order by w.hold limit 1)
    union all
    select (select w.hold from waiting w where w.hold > s.hold order by w.hold limit 1) from holds s where s.hold is not null
)
select h.id, h.moved, h.moving_since, now_ms() as now
  from holds s join hold h on h.id = s.hold and (h.lifted_at is not null or h.until <= now_ms()) order by h.id;

-- name: start_giving_back
-- The ramp of a hold's mail begins, or begins again after the clock was set back.
update hold set moving_since = $2, moved = 0 where id = $1;

-- name: give_back
-- Makes the next mails of a hold ready, and wakes their turns. A hold that still stops them parks them again.
with r as materialized (
    select queue_ready(x.lanes, x.ids) as n
      from (select array_agg(w.lane) as lanes, array_agg(w.id) as ids
              from (select lane, id from waiting where hold = $1 limit $2) w having count(*) > 0) x
)
update hold h set moved = h.moved + r.n from r where h.id = $1 returning r.n;

-- name: ended_stops
-- Stops of a path that have ended and under which mail still waits.
with recursive stops as (
    (select w.stop from waiting w where w.stop is not null order by w.stop limit 1)
    union all
    select (select w.stop from waiting w where w.stop > s.stop order by w.stop limit 1) from stops s where s.stop is not null
)
select s.stop as id, coalesce(o.ended_at, 0) as ended_at, now_ms() as now
  from stops s left join stop o on o.id = s.stop where s.stop is not null and (o.id is null or o.ended_at is not null) order by s.stop;

-- name: give_back_stopped
-- Makes the next mails of an ended stop ready, and wakes their turns.
select queue_ready(array_agg(w.lane), array_agg(w.id)) from (select lane, id from waiting where stop = $1 limit $2) w having count(*) > 0;

-- name: correct_clocks
-- Stamps from the future, which only a clock that was set back leaves: turns and retries are due now, rates fill from now on. $1: as
-- far ahead, in ms, as a retry can be. Heartbeats correct themselves. What was seen of Send events is forgotten: lowered to now, it would
-- prove the absence of calls made since the clock was set back.
with t as (
    update turn set next_at = now_us() where class in (0, 1, 2) and next_at > now_us() + 6000000 returning 1
), w as materialized (
    select queue_ready(x.lanes, x.ids) as n
      from (select array_agg(lane) as lanes, array_agg(id) as ids from waiting where why = 1 and until > now_ms() + $1
            having count(*) > 0) x
), l as (
    update lane set released_at = least(released_at, now_ms()), tokens_at = least(tokens_at, now_ms())
     where released_at > now_ms() + 1000 or tokens_at > now_ms() + 1000 returning 1
), a as (
    update account_rate set at = now_ms() where at > now_ms() + 1000 returning 1
), s as (
    update send_seen
       set called_at = case when called_at > now_ms() + 1000 then 0 else called_at end,
           proved_called_at = case when proved_called_at > now_ms() + 1000 then 0 else proved_called_at end
     where called_at > now_ms() + 1000 or proved_called_at > now_ms() + 1000 returning 1
)
select (select count(*) from t) + coalesce((select n from w), 0) + (select count(*) from l) + (select count(*) from a)
     + (select count(*) from s);

-- name: correct_probes
-- As `correct_clocks`: no stop is tested later than a minute from now. Apart from it, so that lanes and stops are not locked together.
with s as (
    update stop set probe_at = now_ms() where ended_at is null and probe_at > now_ms() + 61000 returning 1
)
select count(*) from s;

-- name: correct_resources
-- As `correct_clocks`: what SES has is read again if it was read in the future, or is to be read later than it can be (a day; an
-- hour if SES does not have it, or if mail still needs what is to go; at once if that was not tried yet, unless it waits for another).
with r as (
    update ses_resource s
       set next_try_at = now(), observed_at = least(observed_at, now()), due_since = least(due_since, now())
     where observed_at > now() + make_interval(secs => 1)
        or due_since > now() + make_interval(secs => 1)
        or next_try_at > now() + case state when 'applied' then make_interval(days => 1, mins => 1)
                                            when 'failing' then make_interval(hours => 1, mins => 1)
                                            else make_interval(hours => case when wanted then 0 else 1 end, secs => 1) end
           and not (state = 'pending' and exists (
               select from ses_resource p
               where p.tenant is not distinct from s.tenant and p.state = 'failing' and p.next_try_at = s.next_try_at
                 and p.next_try_at <= now() + make_interval(hours => 1, mins => 1)))
    returning 1
)
select count(*) from r;
