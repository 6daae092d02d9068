-- Claiming and finishing deliveries. Hot statements touch rows by whole key or by a range at the head of one key, hold no
-- snapshot longer than a batch, and use scalar sub-selects instead of joins where a plan made on empty tables could go wrong.

-- name: look_at_rest
-- What a dispatcher that has nothing to claim looks at: `recheck_turns` ($1, $2), then in how many microseconds the first turn of each class
-- ($3) is due. `busy` ($4: else not looked at): whether anything else is queued that may have to be moved within the next seconds.
with w as (
    update turn t set next_at = now_us() from unnest($1::int[]) u (turn)
     where t.id = u.turn and t.next_at is null
       and exists (select from lane l where l.turn = t.id and not l.held and not l.stopped
                    and exists (select from ready r where r.lane = l.id and r.state = 0
                                   and r.id >= first_id_at(now_ms() - l.expiry_ms)))
    returning t.id, t.class
)
select (select coalesce(array_agg(id), '{}') from w) as woken, (select coalesce(bit_or(1 << class), 0) from w) as woken_classes,
       pg_snapshot_xmin(pg_current_snapshot())::text::bigint as xmin,
       case when $2 then pg_current_xact_id()::text::bigint end as own,
       array(select (select t.next_at from turn t where t.class = c.class and t.next_at is not null order by t.next_at limit 1) - now_us()
               from unnest($3::smallint[]) with ordinality c (class, o) order by o) as due_in,
       $4 and (exists (select from proof_mail where state = 'asked') or exists (select from stop where ended_at is null)
               or exists (select from waiting where why = 2) or exists (select from waiting where why = 3) or exists (select from waiting where why >= 5)
               or exists (select from waiting where why in (1, 4) and until <= now_ms() + 2000)
               or exists (select from ready)) as busy;

-- name: take_turns
-- Tenants take turns inside a class: the turn that waited longest goes first, and more lanes or more mail give no more turns. Only
-- turns that will be served are locked; the others keep their place. The row lock lasts for the claim's transaction and is the
-- whole lease: a dead worker's turns are free at once.
--
-- $2 has the class's share of the $3 slots for each set of classes that may have due turns: the set as bits, times 3, plus the
-- class. $4: tenants that may not start a call now. $5: by class, where due turns begin; before that lie only old versions. `took`
-- is the server's time up to the row, in ms; `limits` changes with the limits of the tenant, and is null if there are none.
with n as materialized (
    select now_us() as us
), d as materialized (
    select c.class, c.low, (select count(*) from (select from turn t where t.class = c.class and t.next_at is not null and t.next_at <= n.us
                                                     and t.next_at >= c.low and t.tenant <> all ($4::int[]) limit $3) x)::int as due
      from n cross join unnest($1::smallint[], $5::bigint[]) c (class, low)
), s as (
    select class, low, due, ($2::int[])[(select sum(1 << class) from d where due > 0)::int * 3 + class + 1] as share from d where due > 0
)
select p.class, s.share, s.due, p.id as turn, p.tenant, l.id as lane, l.rate, l.tokens, l.tokens_at, l.released_at, l.expiry_ms,
       p.row, p.next_at, n.us, (select value from epoch where name = 'control') as epoch,
       (extract(epoch from clock_timestamp() - statement_timestamp()) * 1000)::float8 as took,
       (select v.value from limit_version v where v.tenant = p.tenant) as limits
  from n cross join s
 cross join lateral (select t.ctid as row, t.id, t.class, t.tenant, t.next_at from turn t
                      where t.class = s.class and t.next_at is not null and t.next_at <= n.us and t.next_at >= s.low
                        and t.tenant <> all ($4::int[])
                      order by t.next_at limit least(s.share, s.due) for no key update skip locked) p
  left join lane l on l.turn = p.id and not l.held and not l.stopped
 order by p.class, p.next_at, p.id;

-- name: claim
-- Records the intent to send, as a compare-and-set on the delivery. A lane gives at most its budget, a turn at most its own, and
-- the lanes of a turn share equally. Expired mail is not looked at, and suppressed mail is only reported (attempt 0): it leaves in
-- bulk. Rows are updated by their place in the table, which stays the same as long as our snapshot sees them. The last row, without a
-- lane, has the server's time in ms.
with l as (
    select * from unnest($1::int[], $2::int[], $3::bigint[], $4::int[], $5::int[], $6::smallint[]) u (lane, budget, cutoff, turn, turn_budget, class)
), m as materialized (
    select x.lane, x.id, x.turn, x.row,
           exists (select from suppression s where s.tenant = x.tenant and s.hash = x.hash
                    and (s.scope = 0 or s.scope = 1 and s.target = x.class or s.scope = 2 and s.target = x.lane)
                    and (s.until is null or s.until > $7))
             or exists (select from platform_suppression p where p.hash = x.hash and (p.class is null or p.class = x.class)) as suppressed
      from (select l.lane, l.class, l.turn, l.turn_budget, q.id, q.row, q.tenant, q.hash,
                   row_number() over (partition by l.turn order by q.n, l.lane) as place
              from l cross join lateral (
                   select r.*, row_number() over (order by r.id) as n
                     from (select ctid as row, id, tenant, hash from ready
                            where ready.lane = l.lane and ready.id >= l.cutoff and ready.state = 0 order by id limit l.budget) r) q) x
     where x.place <= x.turn_budget
), i as (
    update ready q set state = 1, attempt = q.attempt + 1, worker = $8, called_at = $7
      from m where not m.suppressed and q.ctid = m.row and q.state = 0
    returning m.turn, q.lane, q.id, q.tenant, q.attempt, q.provider, q.campaign, q.list, q.hash, null::text as suppressed
)
select *, null::float8 as took from i
union all
select m.turn, m.lane, m.id, null, 0::smallint, null, null, null, null, null, null from m where m.suppressed
union all
select null, null, null, null, null, null, null, null, null, null, (extract(epoch from clock_timestamp() - statement_timestamp()) * 1000)::float8;

-- name: suppressed_ahead
-- The suppressed mail among the next $3 of each lane, with what the sentence of its refusal says. It was queued before its address
-- was suppressed.
select r.lane, r.id, r.tenant, r.hash, l.class, (select t.slug from tenant t where t.id = r.tenant) as slug,
       (select y.name from message_type y where y.id = l.type) as type,
       (select m.recipients[(r.id & 63)::int] from message m where m.id = (r.id & -64)) as address
  from unnest($1::int[], $2::bigint[]) u (lane, cutoff) join lane l on l.id = u.lane
 cross join lateral (select ready.lane, ready.id, ready.tenant, ready.hash from ready
                      where ready.lane = u.lane and ready.id >= u.cutoff and ready.state = 0 order by ready.id limit $3) r
 where suppressed_for(r.tenant, r.hash, l.class, r.lane, $4)
 order by r.lane, r.id;

-- name: refuse_suppressed
-- Ends suppressed mail in bulk, before it takes a call slot.
select count(*) from queue_finish($1::int[], $2::bigint[], null, 1, $3::smallint[], null, null, $4::text[], $5::text[], 0);

-- name: part_of_content
-- Of a large one, right before its call. It is stored without compression, so only what is asked for is read.
select coalesce((select substr(c.body, $2::int, $3::int) from content c where c.id = $1),
                (select substr(u.body, $2, $3) from urgent_content u where u.id = $1));

-- name: return_turns
-- Ends a claim. A turn that was served is due at its place behind those that were due at $7, when the turns were taken: however
-- long dispatchers take, the turns keep the order in which they were taken. Another is due at its time (microseconds since 1970)
-- or, without one, when it has mail. Then what is left in the lanes' rate limits. The turns are locked by us, so each is
-- still where `take_turns` saw it: looked up there, it costs the same beside a snapshot that keeps all its old versions.
--
-- Returns recipients and content of the claimed messages ($8), between two ids ($9, $10), so that only the partitions of those days are
-- opened; of urgent ones if $11. Of a content of more than $12 bytes, only its size.
with b as (
    update lane l set tokens = u.tokens, tokens_at = u.at from unnest($4::int[], $5::real[], $6::bigint[]) u (lane, tokens, at)
     where l.id = u.lane
), t as (
    update turn t set next_at = coalesce($7::bigint + u.place, u.at)
      from unnest($1::tid[], $2::int[], $3::bigint[]) u (row, place, at)
     where t.ctid = u.row
)
select m.id, m.recipients, m.path, m.other_path as others, case when m.bytes > $12::int then m.bytes else 0 end as large,
       case when m.bytes > $12 then null
            when $11 then (select u.body from urgent_content u where u.id = m.id)
            else (select c.body from content c where c.id = m.id and c.id between $9 and $10) end as body
  from message m where m.id = any ($8::bigint[]) and m.id between $9 and $10;

-- name: recheck_turns
-- A turn that this worker set idle is checked again until every enqueue that saw it awake must have ended (docs/decisions/003).
-- Expired mail does not wake it. `own` ($2: else not taken) is the number of this transaction, higher than that of each of those enqueues.
with w as (
    update turn t set next_at = now_us() from unnest($1::int[]) u (turn)
     where t.id = u.turn and t.next_at is null
       and exists (select from lane l where l.turn = t.id and not l.held and not l.stopped
                    and exists (select from ready r where r.lane = l.id and r.state = 0
                                   and r.id >= first_id_at(now_ms() - l.expiry_ms)))
    returning t.id
)
select (select coalesce(array_agg(id), '{}') from w) as woken,
       pg_snapshot_xmin(pg_current_snapshot())::text::bigint as xmin,
       case when $2 then pg_current_xact_id()::text::bigint end as own;

-- name: sweep_turns
-- Wakes every idle turn that has ready mail: a worker that died may have set it idle without the recheck.
with sleeping as (
    select t.id from turn t
     where t.next_at is null
       and exists (select from lane l where l.turn = t.id and not l.held and not l.stopped
                    and exists (select from ready r where r.lane = l.id and r.state = 0
                                   and r.id >= first_id_at(now_ms() - l.expiry_ms)))
     order by t.id for no key update skip locked
)
update turn t set next_at = now_us() from sleeping s where t.id = s.id returning t.id;

-- name: lane_routes
-- What a dispatcher needs to send for a lane. A lane with two paths has two rows.
select l.id as lane, l.turn, l.tenant, t.key as tenant_key, ty.name as type, l.class, r.ses_tenant, r.configuration_set, r.domain, r.path,
       (select h.host from unsubscribe_host h where h.tenant = l.tenant) as unsubscribe_host
  from lane l join tenant t on t.id = l.tenant join message_type ty on ty.id = l.type join route r on r.lane = l.id
 where l.id = any ($1::int[]) order by l.id, r.share, r.path;

-- name: account_rate
-- SES's limits for the account and what is left of them.
select ceiling, rate, tokens, at, case when max_24h >= 0 then max_24h end as quota, max_24h - sent_24h as uncounted,
       max_24h - sent_24h - taken as remaining,
       sending_enabled and enforcement <> 'SHUTDOWN' as sending_enabled, now_ms() as now
  from account_rate where cell = $1;

-- name: spend_account_rate
-- Takes tokens, unless another dispatcher took some since we read the row.
update account_rate set rate = $4, tokens = $5, at = $6, taken = taken + $7 where cell = $1 and at = $2 and tokens = $3 returning cell;

-- name: return_tokens
-- Tokens that were taken and not used. Of the rate ($2), up to one second's worth; of the day's quota ($3), all.
update account_rate set tokens = least(greatest(1, rate), tokens + $2::int), taken = greatest(0, taken - $3::int) where cell = $1;

-- name: reserve_used
-- What each tenant used of the reserve of the day's quota in the last 24 hours.
select tenant, sum(calls)::int as calls from reserve_use where cell = $1 and hour > now_ms() / 3600000 - 24 group by tenant;

-- name: use_reserve
-- Counts calls inside the reserve.
insert into reserve_use as u (cell, tenant, hour, calls)
select $1, x.tenant, now_ms() / 3600000, x.calls from unnest($2::int[], $3::int[]) x (tenant, calls) order by x.tenant
on conflict (cell, tenant, hour) do update set calls = u.calls + excluded.calls;

-- name: forget_reserve_use
-- What is older than the day that counts.
delete from reserve_use where cell = $1 and hour <= now_ms() / 3600000 - 24;

-- name: cut_account_rate
-- Lowers the rate after SES throttled a call.
update account_rate set rate = $2, tokens = $3, at = $4 where cell = $1;

-- name: new_worker
-- Registers a dispatcher.
insert into worker (heartbeat, host, pid) values (now_ms(), $1, $2) returning id;

-- name: heartbeat
-- Says that a worker still runs, which is no news (0071-pulse.sql).
update worker set heartbeat = now_ms() where id = $1 returning nextval('quiet_write');

-- name: end_worker
-- A worker that stopped in an orderly way has nothing to be recovered.
update worker set ended_at = now_ms() where id = $1;

-- name: silent_workers
-- Workers whose heartbeat is old: dead, or only slow. One from the future is older than the clock that was set back.
select id from worker where ended_at is null and id <> $1 and (heartbeat < now_ms() - $2::bigint or heartbeat > now_ms() + 1000) order by id;

-- name: reap_worker
-- Deliveries that a dead worker had on the wire become "outcome unknown". One scan of `ready`.
with dead as materialized (
    select lane, id, tenant, attempt, called_at from ready where state = 1 and worker = $1 order by lane, id for update
), n as (
    insert into note (id, tenant, at, what, attempt, detail)
    select id, tenant, now_ms(), 'outcome-unknown', attempt, {{worker_died}} from dead
), e as (
    update worker set ended_at = now_ms() where id = $1
)
select queue_defer(array_agg(lane), array_agg(id), array_agg(attempt), array_agg(called_at), array_agg(2::smallint), null, null,
                   array_agg({{worker_died}}::text), array_agg('outcome-unknown'::text))
  from dead;

-- name: hold_epoch
-- Whether holds or stops have changed, and the database's clock.
select now_ms() as now, value as epoch from epoch where name = 'hold';

-- name: held_lanes
-- Lanes that are held as a whole.
select id from lane where held;

-- name: narrow_holds
-- Open holds that stop only a lane's mail to one mailbox provider, of one campaign or from one list.
select id, tenant, class, lane, provider, campaign, list, stops, rate, owner, because, by, since, until
  from hold where lifted_at is null and stops and hold_is_narrow(hold);
