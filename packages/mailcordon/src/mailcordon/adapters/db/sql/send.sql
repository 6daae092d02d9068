-- The data plane's statements. Hot ones touch rows by whole key or by a range at the head of one key, hold no snapshot longer
-- than a batch, and use scalar sub-selects instead of joins where a plan made on empty tables could go wrong.

-- ACCEPT ------------------------------------------------------------------------------------------------------------------

-- name: lanes_of_tenant
select t.id as tenant, t.slug, t.key, l.id as lane, l.turn, ty.name as type, l.class, r.path, r.share, r.ses_tenant, r.domain,
       r.configuration_set, r.policy_version, l.expiry_ms, l.backlog_deliveries, l.backlog_bytes, l.backlog_age_ms
  from tenant t
  left join lane l on l.tenant = t.id and l.retired_at is null
  left join message_type ty on ty.id = l.type
  left join route r on r.lane = l.id
 where t.slug = $1 and t.retired_at is null
 order by ty.name, r.path;

-- name: control_epoch
select value from epoch where name = 'control';

-- A whole batch in one statement, or nothing of it: if the epoch moved, if a key came before or if somebody is suppressed, `ok` is
-- false and nothing was written. Two requests with one key at the same time end in a unique violation. What goes the long way,
-- by `accept_check` and `accept_store`, is rare.
--
-- Arguments are as few as can be: what messages have in common is a kind ($12 to $21), which they name by its number; numbers come
-- as the text of an array, hashes and keys as one string of bytes. The turns are read after the transaction has its id
-- (docs/decisions/003): wake_turns sees to that, and is called once the keys are in, as in the long way.
-- name: accept
with d as materialized (
    select x.id, x.kind, x.provider, substr($5::bytea, (x.o * 16 - 15)::int, 16) as hash, ($12::int[])[x.kind] as tenant,
           ($14::int[])[x.kind] as lane
      from unnest($2::text::bigint[], $3::text::int[], $4::text::smallint[]) with ordinality x (id, kind, provider, o)
), x as materialized (
    select ($12::int[])[x.kind] as tenant, substr($8::bytea, (x.o * 32 - 31)::int, 16) as key,
           substr($8::bytea, (x.o * 32 - 15)::int, 16) as body, x.id
      from unnest($6::text::bigint[], $7::text::int[]) with ordinality x (id, kind, o)
), b as materialized (
    select e.value as epoch, now_ms() as now,
           e.value = $1
           and not exists (select from d
                            where exists (select from suppression s where s.tenant = d.tenant and s.hash = d.hash
                                           and (s.scope = 0 or s.scope = 1 and s.target = ($13::int[])[d.kind] or s.scope = 2 and s.target = d.lane)
                                           and (s.until is null or s.until > now_ms()))
                               or exists (select from platform_suppression p where p.hash = d.hash))
           and not exists (select from x where exists (select from idempotency i where i.tenant = x.tenant and i.key = x.key)) as ok
      from epoch e where e.name = 'control'
), k as (
    insert into idempotency (tenant, key, body, message)
    select tenant, key, body, id from x where (select ok from b) order by tenant, key returning 1
), m as (
    insert into message (id, tenant, lane, path, from_address, recipients, campaign, list, bytes, api_key)
    select id, ($12::int[])[kind], ($14::int[])[kind], ($15::text[])[kind], ($16::text[])[kind], string_to_array(recipients, E'\n'),
           ($17::text[])[kind], ($18::text[])[kind], bytes, ($19::int[])[kind]
      from unnest($9::text::bigint[], $10::text::int[], $11::text[], $22::text::int[]) u (id, kind, recipients, bytes)
     where (select ok from b)
), c as (
    insert into content (id, body) select * from unnest($23::text::bigint[], $24::bytea[]) where (select ok from b)
), v as (
    insert into urgent_content (id, body) select * from unnest($25::text::bigint[], $26::bytea[]) where (select ok from b)
), r as (
    insert into recipient (tenant, hash, id) select tenant, hash, id from d where (select ok from b)
), q as (
    insert into ready (lane, id, tenant, provider, hash, campaign, list)
    select lane, id, tenant, provider, hash, ($17::text[])[kind], ($18::text[])[kind] from d where (select ok from b)
), n as (
    insert into lane_intake as i (lane, node, deliveries, bytes)
    select lane, $27::int, sum(deliveries), sum(bytes) from unnest($14::int[], $20::bigint[], $21::bigint[]) u (lane, deliveries, bytes)
     where (select ok from b) group by lane order by lane
    on conflict (lane, node) do update set deliveries = i.deliveries + excluded.deliveries, bytes = i.bytes + excluded.bytes
)
select b.epoch, b.now, b.ok,
       array(select distinct l.id from unnest($14::int[]) u (lane) join lane l on l.id = u.lane where l.held) as held,
       case when b.ok then wake_turns($28::int[], b.now, (select count(*) from k)) end
  from b;

-- The long way's first statement. It takes the transaction's id before any turn row is read: the proof that a
-- drained turn is never forgotten with mail in it needs that order (docs/decisions/003). Keys arrive sorted.
-- name: accept_check
with mine as (
    insert into idempotency (tenant, key, body, message)
    select * from unnest($1::int[], $2::bytea[], $3::bytea[], $4::bigint[])
    on conflict do nothing returning message
)
select pg_current_xact_id()::text as xid,
       (select value from epoch where name = 'control') as epoch,
       now_ms() as now,
       (select coalesce(array_agg(message), '{}') from mine) as winners,
       array(select u.o from unnest($5::int[], $6::bytea[], $7::int[], $8::int[]) with ordinality u (tenant, hash, class, lane, o)
              where exists (select from suppression s where s.tenant = u.tenant and s.hash = u.hash
                             and (s.scope = 0 or s.scope = 1 and s.target = u.class or s.scope = 2 and s.target = u.lane)
                             and (s.until is null or s.until > now_ms()))
                 or exists (select from platform_suppression p where p.hash = u.hash)) as suppressed,
       array(select l.id from unnest($9::int[]) u (lane) join lane l on l.id = u.lane where l.held) as held;

-- name: replays
select u.o, i.message, i.body = u.body as same_body
  from unnest($1::int[], $2::bytea[], $3::bytea[]) with ordinality u (tenant, key, body, o)
  join idempotency i on i.tenant = u.tenant and i.key = u.key;

-- name: why_suppressed
select u.o, coalesce(s.cause, 'platform list') as cause, coalesce(s.scope, 3) as scope, coalesce(s.since, p.since) as since,
       coalesce(s.by, p.by) as by
  from unnest($1::int[], $2::bytea[], $3::int[], $4::int[]) with ordinality u (tenant, hash, class, lane, o)
  left join lateral (select * from suppression s where s.tenant = u.tenant and s.hash = u.hash
                        and (s.scope = 0 or s.scope = 1 and s.target = u.class or s.scope = 2 and s.target = u.lane)
                        and (s.until is null or s.until > now_ms()) order by s.scope limit 1) s on true
  left join platform_suppression p on p.hash = u.hash;

-- name: why_held
select distinct on (l.id) l.id as lane, h.owner, h.because, h.by
  from lane l join hold h on h.tenant = l.tenant and h.lifted_at is null and h.stops
   and (h.class is null or h.class = l.class) and (h.lane is null or h.lane = l.id)
   and h.provider is null and h.campaign is null and h.list is null
 where l.id = any ($1::int[])
 order by l.id, h.id;

-- name: accept_store
with m as (
    insert into message (id, tenant, lane, path, from_address, recipients, campaign, list, bytes, api_key)
    select id, tenant, lane, path, from_address, string_to_array(recipients, E'\n'), campaign, list, bytes, api_key
      from unnest($1::bigint[], $2::int[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::int[], $10::int[])
        u (id, tenant, lane, path, from_address, recipients, campaign, list, bytes, api_key)
), c as (
    insert into content (id, body) select * from unnest($34::bigint[], $11::bytea[])
), uc as (
    insert into urgent_content (id, body) select * from unnest($35::bigint[], $36::bytea[])
), r as (
    insert into recipient (tenant, hash, id) select * from unnest($12::int[], $13::bytea[], $14::bigint[])
), q as (
    insert into ready (lane, id, tenant, provider, hash, campaign, list)
    select * from unnest($15::int[], $16::bigint[], $17::int[], $18::smallint[], $19::bytea[], $20::text[], $21::text[])
), g as (
    insert into ledger (id, tenant, lane, state, attempt, provider, at, reason, detail)
    select id, tenant, lane, 10, 0, provider, $22, reason, detail
      from unnest($23::bigint[], $24::int[], $25::int[], $26::smallint[], $27::text[], $28::text[])
        u (id, tenant, lane, provider, reason, detail)
), n as (
    insert into lane_intake as i (lane, node, deliveries, bytes)
    select lane, $29::int, deliveries, bytes from unnest($30::int[], $31::bigint[], $32::bigint[]) u (lane, deliveries, bytes)
    on conflict (lane, node) do update set deliveries = i.deliveries + excluded.deliveries, bytes = i.bytes + excluded.bytes
)
update turn t set next_at = $22 from unnest($33::int[]) u (turn)
 where t.id = u.turn and (t.next_at is null or t.next_at > $22);

-- name: backlogs
select u.lane,
       coalesce((select sum(deliveries) from lane_intake i where i.lane = u.lane), 0)::bigint
         - coalesce((select sum(deliveries) from lane_finished f where f.lane = u.lane), 0)::bigint as deliveries,
       coalesce((select sum(bytes) from lane_intake i where i.lane = u.lane), 0)::bigint
         - coalesce((select sum(bytes) from lane_finished f where f.lane = u.lane), 0)::bigint as bytes,
       (select r.id from ready r where r.lane = u.lane order by r.id limit 1) as oldest_id
  from unnest($1::int[]) u (lane);

-- CLAIM -------------------------------------------------------------------------------------------------------------------

-- name: due
select exists (select from unnest($1::smallint[]) c (class)
                where exists (select from turn t where t.class = c.class and t.next_at is not null and t.next_at <= now_ms()));

-- Tenants take turns inside a class: the turn that waited longest goes first, and more lanes or more mail give no more turns.
-- The row lock lasts for the claim's transaction and is the whole lease: a dead worker's turns are free at once.
-- name: take_turns
select p.id as turn, p.class, l.id as lane, l.rate, l.tokens, l.tokens_at, l.released_at, l.expiry_ms, n.now,
       (select value from epoch where name = 'control') as epoch
  from (select now_ms() as now) n
 cross join unnest($1::smallint[], $2::int[]) c (class, k)
 cross join lateral (select t.id, t.class from turn t where t.class = c.class and t.next_at <= n.now and t.next_at is not null
                      order by t.next_at limit c.k for no key update skip locked) p
  left join lane l on l.turn = p.id and not l.held;

-- The intent: a compare-and-set on the delivery. A lane gives at most its budget, a turn at most its own, lanes of a turn
-- alike; what is no longer worth sending goes to the ledger instead.
-- name: claim
with l as (
    select * from unnest($1::int[], $2::int[], $3::bigint[], $4::int[], $5::int[]) u (lane, budget, cutoff, turn, turn_budget)
), m as materialized (
    select x.lane, x.id, x.turn, x.late
      from (select l.lane, l.turn, l.turn_budget, q.id, q.id < l.cutoff as late,
                   row_number() over (partition by l.turn order by q.n, l.lane) as place
              from l cross join lateral (
                   select r.id, row_number() over (order by r.id) as n
                     from (select id from ready where ready.lane = l.lane and ready.state = 0 order by id limit l.budget) r) q) x
     where x.place <= x.turn_budget
), e as (
    delete from ready q using m where m.late and q.lane = m.lane and q.id = m.id and q.state = 0
    returning q.lane, q.id, q.tenant, q.attempt, q.provider, m.turn
), g as (
    insert into ledger (id, tenant, lane, state, attempt, provider, at, reason, detail)
    select id, tenant, lane, 11, attempt, provider, $6, 'expired', 'no longer worth sending when its turn came' from e
), i as (
    update ready q set state = 1, attempt = q.attempt + 1, worker = $7, called_at = $6
      from m where not m.late and q.lane = m.lane and q.id = m.id and q.state = 0
    returning q.lane, q.id, q.tenant, q.attempt, q.provider, q.hash, q.campaign, q.list, m.turn
)
select i.turn, i.lane, i.id, i.tenant, i.attempt, i.provider, i.campaign, i.list,
       exists (select from suppression s where s.tenant = i.tenant and s.hash = i.hash
                and (s.scope = 0 or s.scope = 1 and s.target = (select l.class from lane l where l.id = i.lane)
                     or s.scope = 2 and s.target = i.lane)
                and (s.until is null or s.until > $6))
         or exists (select from platform_suppression p where p.hash = i.hash) as suppressed
  from i
union all
select e.turn, e.lane, e.id, e.tenant, 0::smallint, 0::smallint, null, null, null from e;

-- What was claimed, with its content. Apart from the claim, and between two ids, so that only the days concerned are opened.
-- name: claimed_content
select m.id, m.recipients,
       case when $4 then (select u.body from urgent_content u where u.id = m.id)
            else (select c.body from content c where c.id = m.id and c.id between $2 and $3) end as body
  from message m where m.id = any ($1::bigint[]) and m.id between $2 and $3;

-- name: count_expired
insert into lane_finished as z (lane, node, deliveries, bytes)
select u.lane, 0, count(*), sum((select bytes from message where message.id = (u.id & -64))) from unnest($1::int[], $2::bigint[]) u (lane, id)
 group by u.lane order by u.lane
on conflict (lane, node) do update set deliveries = z.deliveries + excluded.deliveries, bytes = z.bytes + excluded.bytes;

-- name: put_turns_back
with b as (
    update lane l set tokens = u.tokens, tokens_at = u.at from unnest($3::int[], $4::real[], $5::bigint[]) u (lane, tokens, at)
     where l.id = u.lane
)
update turn t set next_at = u.next_at from unnest($1::int[], $2::bigint[]) u (turn, next_at) where t.id = u.turn;

-- A turn this worker set idle is looked at again until no enqueue that saw it awake can still be open (docs/decisions/003).
-- name: recheck_turns
with w as (
    update turn t set next_at = now_ms() from unnest($1::int[]) u (turn)
     where t.id = u.turn and t.next_at is null
       and exists (select from lane l where l.turn = t.id and not l.held
                    and exists (select from ready r where r.lane = l.id and r.state = 0))
    returning t.id
)
select (select coalesce(array_agg(id), '{}') from w) as woken,
       pg_snapshot_xmin(pg_current_snapshot())::text::bigint as xmin,
       pg_snapshot_xmax(pg_current_snapshot())::text::bigint as xmax;

-- name: sweep_turns
with sleeping as (
    select t.id from turn t
     where t.next_at is null
       and exists (select from lane l where l.turn = t.id and not l.held
                    and exists (select from ready r where r.lane = l.id and r.state = 0))
     order by t.id for no key update skip locked
)
update turn t set next_at = now_ms() from sleeping s where t.id = s.id returning t.id;

-- name: lane_routes
select l.id as lane, l.turn, l.tenant, t.key as tenant_key, ty.name as type, l.class, r.ses_tenant, r.configuration_set, r.domain, r.path
  from lane l join tenant t on t.id = l.tenant join message_type ty on ty.id = l.type join route r on r.lane = l.id
 where l.id = any ($1::int[]) order by l.id, r.share;

-- COMPLETE ----------------------------------------------------------------------------------------------------------------

-- Out of the queue, into the ledger. The fence is (state, attempt); if a reaper thought this worker dead and called the outcome
-- unknown meanwhile, the answer still settles it.
-- name: finish
with u as materialized (
    select * from unnest($1::int[], $2::bigint[], $3::smallint[], $4::smallint[], $5::text[], $6::bigint[], $7::text[], $8::text[], $9::bigint[])
      u (lane, id, attempt, state, ses_id, called_at, reason, detail, bytes)
), d as (
    delete from ready r using u where r.lane = u.lane and r.id = u.id and r.state = 1 and r.attempt = u.attempt
    returning r.lane, r.id, r.tenant, r.provider, r.attempt, u.state, u.ses_id, u.called_at, u.reason, u.detail, u.bytes
), w as (
    -- `why + 0`: by its key, not by a scan of all that is unknown.
    delete from waiting r using u where r.lane = u.lane and r.id = u.id and r.why + 0 = 2 and r.attempt = u.attempt
    returning r.lane, r.id, r.tenant, r.provider, r.attempt, u.state, u.ses_id, u.called_at, u.reason, u.detail, u.bytes
), gone as (select * from d union all select * from w),
g as (
    insert into ledger (id, tenant, lane, state, attempt, provider, ses_id, called_at, at, reason, detail)
    select id, tenant, lane, state, attempt, provider, ses_id, called_at, now_ms(), reason, detail from gone
), f as (
    insert into lane_finished as z (lane, node, deliveries, bytes)
    select lane, $10::int, count(*), sum(bytes) from gone group by lane order by lane
    on conflict (lane, node) do update set deliveries = z.deliveries + excluded.deliveries, bytes = z.bytes + excluded.bytes
)
select count(*) from gone;

-- The same for what SES took at once: nearly all mail, and so with as few arguments as it can do with.
-- name: finish_sent
with u as materialized (
    select * from unnest($1::int[], $2::bigint[], $3::smallint[], $4::text[], $5::bigint[], $6::int[]) u (lane, id, attempt, ses_id, called_at, bytes)
), d as (
    delete from ready r using u where r.lane = u.lane and r.id = u.id and r.state = 1 and r.attempt = u.attempt
    returning r.lane, r.id, r.tenant, r.provider, r.attempt, u.ses_id, u.called_at, u.bytes
), w as (
    delete from waiting r using u where r.lane = u.lane and r.id = u.id and r.why + 0 = 2 and r.attempt = u.attempt
    returning r.lane, r.id, r.tenant, r.provider, r.attempt, u.ses_id, u.called_at, u.bytes
), gone as (select * from d union all select * from w),
g as (
    insert into ledger (id, tenant, lane, state, attempt, provider, ses_id, called_at, at, reason, detail)
    select id, tenant, lane, 20, attempt, provider, ses_id, called_at, now_ms(), 'sent', 'SES accepted it' from gone
)
insert into lane_finished as z (lane, node, deliveries, bytes)
select lane, $7::int, count(*), sum(bytes) from gone group by lane order by lane
on conflict (lane, node) do update set deliveries = z.deliveries + excluded.deliveries, bytes = z.bytes + excluded.bytes;

-- Deferring and requeueing take an attempt's number away again, so the time of the call is part of their fence: a record that is
-- repeated because its confirmation was lost must not touch whoever claimed the mail since, under the same number.
-- name: defer
with u as materialized (
    select * from unnest($1::int[], $2::bigint[], $3::smallint[], $4::smallint[], $5::bigint[], $6::bigint[], $7::text[], $8::bigint[])
      u (lane, id, attempt, why, until, hold, reason, called_at)
), d as (
    delete from ready r using u
     where r.lane = u.lane and r.id = u.id and r.state = 1 and r.attempt = u.attempt and r.called_at = u.called_at
    returning r.*, u.why, u.until, u.hold, u.reason
)
insert into waiting (lane, id, tenant, why, until, attempt, provider, called_at, hash, campaign, list, hold, reason, since)
select lane, id, tenant, why, until, case why when 3 then attempt - 1 else attempt end, provider, called_at, hash, campaign, list, hold,
       reason, now_ms() from d;

-- SES certainly did not take it: back to the head of its lane, and the attempt was none. If a reaper called the outcome unknown
-- meanwhile, we know better.
-- name: requeue
with u as materialized (
    select * from unnest($1::int[], $2::bigint[], $3::smallint[], $5::bigint[]) u (lane, id, attempt, called_at)
), b as (
    update ready r set state = 0, attempt = r.attempt - 1, worker = null from u
     where r.lane = u.lane and r.id = u.id and r.state = 1 and r.attempt = u.attempt and r.called_at = u.called_at
), w as (
    delete from waiting r using u
     where r.lane = u.lane and r.id = u.id and r.why + 0 = 2 and r.attempt = u.attempt and r.called_at = u.called_at
    returning r.*
), q as (
    insert into ready (lane, id, tenant, attempt, provider, hash, campaign, list)
    select lane, id, tenant, attempt - 1, provider, hash, campaign, list from w
)
update turn t set next_at = now_ms() from unnest($4::int[]) x (turn) where t.id = x.turn and t.next_at is null;

-- name: add_notes
insert into note (id, tenant, at, what, attempt, detail)
select id, tenant, now_ms(), what, attempt, detail from unnest($1::bigint[], $2::int[], $3::text[], $4::smallint[], $5::text[])
  u (id, tenant, what, attempt, detail);

-- Urgent content goes when no delivery of its message can need it any more.
-- name: forget_content
delete from urgent_content c using unnest($1::int[], $2::bigint[]) u (lane, id)
 where c.id = u.id
   and not exists (select from ready r where r.lane = u.lane and r.id > u.id and r.id <= u.id + 50)
   and not exists (select from waiting w where w.lane = u.lane and w.id > u.id and w.id <= u.id + 50);

-- THE ACCOUNT'S RATE ------------------------------------------------------------------------------------------------------

-- name: account_rate
select ceiling, rate, tokens, at, case when max_24h < 0 then null else max_24h - sent_24h end as remaining_24h,
       sending_enabled and enforcement <> 'SHUTDOWN' as sending_enabled, now_ms() as now
  from account_rate where cell = $1;

-- name: spend_account_rate
update account_rate set rate = $4, tokens = $5, at = $6 where cell = $1 and at = $2 and tokens = $3 returning cell;

-- name: return_tokens
update account_rate set tokens = least(greatest(1, rate), tokens + $2::int) where cell = $1;

-- name: cut_account_rate
update account_rate set rate = $2, tokens = $3, at = $4 where cell = $1;

-- WORKERS -----------------------------------------------------------------------------------------------------------------

-- name: new_worker
insert into worker (heartbeat, host, pid) values (now_ms(), $1, $2) returning id;

-- name: heartbeat
update worker set heartbeat = now_ms() where id = $1;

-- name: end_worker
update worker set ended_at = now_ms() where id = $1;

-- name: silent_workers
select id from worker where ended_at is null and id <> $1 and heartbeat < now_ms() - $2::bigint order by id;

-- What a dead worker had on the wire: nobody knows. One scan of `ready`.
-- name: reap_worker
with d as (
    delete from ready where state = 1 and worker = $1 returning *
), w as (
    insert into waiting (lane, id, tenant, why, until, attempt, provider, called_at, hash, campaign, list, reason, since)
    select lane, id, tenant, 2, null, attempt, provider, called_at, hash, campaign, list, 'its worker died during the call', now_ms() from d
), n as (
    insert into note (id, tenant, at, what, attempt, detail)
    select id, tenant, now_ms(), 'outcome-unknown', attempt, 'the worker that called SES died before it could record the answer' from d
), e as (
    update worker set ended_at = now_ms() where id = $1
)
select count(*) from d;

-- name: hold_epoch
select value from epoch where name = 'hold';

-- name: held_lanes
select id from lane where held;

-- name: narrow_holds
select id, tenant, class, lane, provider, campaign, list, stops, rate, owner, because, by, since, until
  from hold where lifted_at is null and stops and (provider is not null or campaign is not null or list is not null);

-- SETTLE ------------------------------------------------------------------------------------------------------------------

-- name: anything_waits
select case when exists (select from waiting) then pg_try_advisory_lock($1, 0) else false end;

-- The Send event that carries our attempt's tag proves that SES took it.
-- name: settle_seen
with p as (
    select w.lane, w.id, w.attempt, s.ses_id from waiting w join send_event s on s.delivery = w.id and s.attempt = w.attempt
     where w.why = 2 order by w.lane, w.id limit $1
), d as (
    delete from waiting w using p where w.lane = p.lane and w.id = p.id and w.why = 2 and w.attempt = p.attempt
    returning w.lane, w.id, w.tenant, w.attempt, w.provider, w.called_at, p.ses_id
), g as (
    insert into ledger (id, tenant, lane, state, attempt, provider, ses_id, called_at, at, reason, detail)
    select id, tenant, lane, 20, attempt, provider, ses_id, called_at, now_ms(), 'sent', 'proved by its Send event; no answer had come' from d
), n as (
    insert into note (id, tenant, at, what, attempt, detail)
    select id, tenant, now_ms(), 'proved-sent', attempt, 'the Send event with this attempt''s tag arrived' from d
), f as (
    insert into lane_finished as z (lane, node, deliveries, bytes)
    select d.lane, 0, count(*), sum((select bytes from message where message.id = (d.id & -64))) from d group by d.lane order by d.lane
    on conflict (lane, node) do update set deliveries = z.deliveries + excluded.deliveries, bytes = z.bytes + excluded.bytes
)
select lane, id from d;

-- Absence proved: the same configuration set has shown the Send event of a call made at least the lane's grace later.
-- name: settle_absent
with p as (
    select w.lane, w.id, w.attempt, l.resend, l.turn, s.called_at as seen
      from waiting w join lane l on l.id = w.lane
      join route r on r.lane = w.lane and r.path = (select path from message where message.id = (w.id & -64))
      join send_seen s on s.configuration_set = r.configuration_set
     where w.why = 2 and s.called_at >= w.called_at + l.grace_ms
       and not exists (select from send_event e where e.delivery = w.id and e.attempt = w.attempt)
       and w.id >= ((now_ms() - l.expiry_ms - 1767225600000) << 22)
     order by w.lane, w.id limit $1
), d as (
    delete from waiting w using p where w.lane = p.lane and w.id = p.id and w.why = 2 and w.attempt = p.attempt
    returning w.*, p.resend, p.turn, p.seen
), q as (
    insert into ready (lane, id, tenant, attempt, provider, hash, campaign, list)
    select lane, id, tenant, attempt, provider, hash, campaign, list from d where resend
), g as (
    insert into ledger (id, tenant, lane, state, attempt, provider, called_at, at, reason, detail)
    select id, tenant, lane, 13, attempt, provider, called_at, now_ms(), 'given-up',
           'SES gave no clear answer and showed no Send event for it; mail of this class is rather lost than sent twice' from d where not resend
), n as (
    insert into note (id, tenant, at, what, attempt, detail)
    select id, tenant, now_ms(), case when resend then 'resend' else 'given-up' end, attempt,
           format('no Send event for this attempt, though one came for a call made %s s later', (seen - called_at) / 1000) from d
), f as (
    insert into lane_finished as z (lane, node, deliveries, bytes)
    select d.lane, 0, count(*), sum((select bytes from message where message.id = (d.id & -64))) from d where not resend group by d.lane order by d.lane
    on conflict (lane, node) do update set deliveries = z.deliveries + excluded.deliveries, bytes = z.bytes + excluded.bytes
)
select lane, id, turn, resend from d;

-- name: wake_turns
update turn t set next_at = now_ms() from unnest($1::int[]) u (turn) where t.id = u.turn and t.next_at is null;

-- An unknown past its grace whose configuration set has shown nothing since: only a canary can tell.
-- name: canary_needs
select distinct on (r.configuration_set) r.configuration_set, w.lane, w.id, w.tenant, w.attempt, w.called_at
  from waiting w join lane l on l.id = w.lane
  join route r on r.lane = w.lane and r.path = (select path from message where message.id = (w.id & -64))
 where w.why = 2 and now_ms() >= w.called_at + l.grace_ms
   and coalesce((select s.called_at from send_seen s where s.configuration_set = r.configuration_set), 0) < w.called_at + l.grace_ms
 order by r.configuration_set, w.called_at desc;

-- name: moment
select now_ms() as now, (select value from epoch where name = 'control') as epoch;

-- What waits and is no longer worth sending. An unknown ends as "no outcome reported", and is an alarm.
-- Lane by lane, from the head of each: a million deferred mails cost no more to look at than one.
-- name: expire_waiting
with recursive lanes as (
    (select w.lane from waiting w order by w.lane limit 1)
    union all
    select (select w.lane from waiting w where w.lane > s.lane order by w.lane limit 1) from lanes s where s.lane is not null
), p as (
    select x.lane, x.id from lanes s join lane l on l.id = s.lane
     cross join lateral (select w.lane, w.id from waiting w
                          where w.lane = s.lane and w.id < ((now_ms() - l.expiry_ms - 1767225600000) << 22) order by w.id limit $1) x
     order by x.lane, x.id limit $1
), d as (
    delete from waiting w using p where w.lane = p.lane and w.id = p.id returning w.*
), g as (
    insert into ledger (id, tenant, lane, state, attempt, provider, called_at, at, reason, detail)
    select id, tenant, lane, case when why = 2 then 28 else 11 end, attempt, provider, called_at, now_ms(),
           case when why = 2 then 'no-outcome' else 'expired' end,
           case when why = 2 then 'SES gave no clear answer, and neither its Send event nor proof of absence came in time'
                else 'no longer worth sending; it last waited because: ' || reason end from d
), f as (
    insert into lane_finished as z (lane, node, deliveries, bytes)
    select d.lane, 0, count(*), sum((select bytes from message where message.id = (d.id & -64))) from d group by d.lane order by d.lane
    on conflict (lane, node) do update set deliveries = z.deliveries + excluded.deliveries, bytes = z.bytes + excluded.bytes
)
select lane, id, why from d;

-- Retries whose time has come, and mail deferred by a hold that is gone.
-- name: due_waiting
with recursive holds as (
    (select w.hold from waiting w where w.hold is not null order by w.hold limit 1)
    union all
    select (select w.hold from waiting w where w.hold > s.hold order by w.hold limit 1) from holds s where s.hold is not null
), p as (
    select w.lane, w.id from waiting w where w.why in (1, 4, 5) and w.until <= now_ms() order by w.why, w.until limit $1
), o as (
    select x.lane, x.id from holds s join hold h on h.id = s.hold and (h.lifted_at is not null or h.until <= now_ms())
     cross join lateral (select w.lane, w.id from waiting w where w.hold = s.hold limit $1) x limit $1
), d as (
    delete from waiting w using (select * from p union select * from o) x where w.lane = x.lane and w.id = x.id and w.why <> 2
    returning w.*
), q as (
    insert into ready (lane, id, tenant, attempt, provider, hash, campaign, list)
    select lane, id, tenant, attempt, provider, hash, campaign, list from d
)
select distinct l.turn from d join lane l on l.id = d.lane order by 1;

-- LOOK --------------------------------------------------------------------------------------------------------------------

-- name: message
select m.*, t.slug, ty.name as type, ty.class, l.expiry_ms from message m join tenant t on t.id = m.tenant
  join lane l on l.id = m.lane join message_type ty on ty.id = l.type
 where m.id = $1;

-- One snapshot of everything that is known of a message's deliveries.
-- name: deliveries
select 'ready' as source, r.id, case r.state when 1 then 2 else 1 end::smallint as state, r.attempt, r.provider, null::text as ses_id,
       r.called_at, null::bigint as at, null::text as reason, null::text as detail, l.held, r.campaign, r.list
  from ready r join lane l on l.id = r.lane where r.lane = $2 and r.id > $1 and r.id <= $1 + 50
union all
select 'waiting', w.id, case w.why when 2 then 5 when 3 then 4 else 3 end::smallint, w.attempt, w.provider, null, w.called_at, w.since,
       case w.why when 1 then 'retry' when 2 then 'outcome-unknown' when 3 then 'held' when 4 then 'scheduled' else 'provider-cap' end,
       w.reason, l.held, w.campaign, w.list
  from waiting w join lane l on l.id = w.lane where w.lane = $2 and w.id > $1 and w.id <= $1 + 50
union all
select 'ledger', g.id, g.state, g.attempt, g.provider, g.ses_id, g.called_at, g.at, g.reason, g.detail, false, null, null
  from ledger g where g.id > $1 and g.id <= $1 + 50
union all
select 'outcome', o.id, o.state, o.attempt, 0::smallint, o.ses_id, null, o.at, o.reason, o.detail, false, null, null
  from outcome o where o.id > $1 and o.id <= $1 + 50;

-- name: history
select n.id as delivery, n.at, n.what, n.detail, n.attempt from note n where n.id > $1 and n.id <= $1 + 50
union all
select e.delivery, e.at, 'event:' || e.kind, coalesce(e.detail ->> 'text', e.detail ->> 'reason', ''), e.attempt
  from event e where e.delivery > $1 and e.delivery <= $1 + 50
order by 1, 2 limit 2000;

-- name: deliveries_to
select r.id from recipient r where r.tenant = $1 and r.hash = $2 order by r.id desc limit $3;

-- name: suppressions_of
select s.scope, s.target, s.cause, s.evidence, s.since, s.until, s.by, s.removing_since, ty.name as type
  from suppression s
  left join lane l on s.scope = 2 and l.id = s.target
  left join message_type ty on ty.id = l.type
 where s.tenant = $1 and s.hash = $2 order by s.scope, s.target;

-- Cancel what has not left: ready rows that nobody has claimed, and waiting rows whose outcome is not in doubt.
-- name: cancel_message
with d as (
    delete from ready where lane = $2 and id > $1 and id <= $1 + 50 and state = 0 returning lane, id, tenant, attempt, provider
), w as (
    delete from waiting where lane = $2 and id > $1 and id <= $1 + 50 and why <> 2 returning lane, id, tenant, attempt, provider
), gone as (select * from d union all select * from w),
g as (
    insert into ledger (id, tenant, lane, state, attempt, provider, at, reason, detail)
    select id, tenant, lane, 12, attempt, provider, now_ms(), 'cancelled', $3 from gone
), f as (
    insert into lane_finished as z (lane, node, deliveries, bytes)
    select d.lane, 0, count(*), sum((select bytes from message where message.id = (d.id & -64))) from gone d group by d.lane order by d.lane
    on conflict (lane, node) do update set deliveries = z.deliveries + excluded.deliveries, bytes = z.bytes + excluded.bytes
)
select id from gone order by id;
