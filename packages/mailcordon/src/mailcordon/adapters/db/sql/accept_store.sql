-- Accepting mail. Hot statements touch rows by whole key or by a range at the head of one key, hold no snapshot longer than a
-- batch, and use scalar sub-selects instead of joins where a plan made on empty tables could go wrong.

-- name: lanes_of_tenants
-- Every lane of some tenants with its routes; a retired one refuses its mail by name. A tenant without lanes gives one row of nulls,
-- an unknown one none.
select t.id as tenant, t.slug, coalesce(t.retiring_at, t.retired_at) is not null as tenant_retired, l.retiring_at is not null as retired,
       t.key as tenant_key, l.id as lane, l.turn, ty.name as type, l.class, r.path, r.share, r.ses_tenant, r.domain,
       r.configuration_set, r.policy_version, l.expiry_ms, l.backlog_deliveries, l.backlog_bytes, l.backlog_age_ms,
       (select h.host from unsubscribe_host h where h.tenant = t.id) as unsubscribe_host
  from tenant t
  left join lane l on l.tenant = t.id
  left join message_type ty on ty.id = l.type
  left join route r on r.lane = l.id
 where t.slug = any ($1::text[])
 order by t.id, ty.name, r.path;

-- name: accept
-- A whole batch in one statement, or nothing of it: if the epoch moved, an idempotency key exists already or a recipient is
-- suppressed, `ok` is false and nothing was written. Two requests with one key at the same time end in a unique violation.
-- Batches that fail here take the slow path, `accept_check` and `accept_store`, which is rare.
--
-- The number of arguments is kept small: what messages have in common is a kind ($12 to $21, $29), which they name by its number;
-- numbers come as the text of an array, hashes and keys as one string of bytes. The turns are read after the transaction has its
-- id (docs/decisions/003): wake_turns ensures that, and is called after the keys are inserted, as in the slow path.
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
                               or exists (select from platform_suppression p where p.hash = d.hash
                                           and (p.class is null or p.class = ($13::int[])[d.kind])))
           and not exists (select from x where exists (select from idempotency i where i.tenant = x.tenant and i.key = x.key)) as ok
      from epoch e where e.name = 'control'
), k as (
    insert into idempotency (tenant, key, body, message)
    select tenant, key, body, id from x where (select ok from b) order by tenant, key returning 1
), m as (
    insert into message (id, tenant, lane, path, from_address, recipients, campaign, list, bytes, api_key, tags, alike, other_path)
    select id, ($12::int[])[kind], ($14::int[])[kind], ($15::text[])[kind], ($16::text[])[kind], string_to_array(recipients, E'\n'),
           ($17::text[])[kind], ($18::text[])[kind], bytes, ($19::int[])[kind], ($29::text[])[kind]::jsonb, alike, others
      from unnest($9::text::bigint[], $10::text::int[], $11::text[], $22::text::int[], $30::text::int[],
                  $31::bigint[]) u (id, kind, recipients, bytes, alike, others)
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
       array(select distinct l.id from unnest($14::int[]) u (lane) join lane l on l.id = u.lane
              where l.held or l.stopped or (select every_lane_stopped())) as held,
       case when b.ok then wake_turns($28::int[], (select count(*) from k)) end
  from b;

-- name: accept_one
-- The same for one message to one recipient, which is what arrives at all but the highest rates.
select a.epoch, a.now, a.ok, case when a.held then array[$7::int] else '{}' end as held
  from accept_one($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22) a;

-- name: places
-- Numbers that no process has had, for the ids of mail that is scheduled.
select nextval('scheduled_place') from generate_series(1, $1::int);

-- name: accept_check
-- First statement of the slow path. It takes the transaction's id before any turn row is read: the proof that a drained turn is
-- never forgotten with mail in it needs that order (docs/decisions/003). Keys arrive sorted.
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
                 or exists (select from platform_suppression p where p.hash = u.hash and (p.class is null or p.class = u.class))) as suppressed,
       array(select l.id from unnest($9::int[]) u (lane) join lane l on l.id = u.lane
              where l.held or l.stopped or (select every_lane_stopped())) as held;

-- name: replays
-- The message that an idempotency key stands for, and whether the request's body is the same. A new statement, so that it sees
-- what the winner of the key has committed.
select u.o, i.message, i.body = u.body as same_body
  from unnest($1::int[], $2::bytea[], $3::bytea[]) with ordinality u (tenant, key, body, o)
  join idempotency i on i.tenant = u.tenant and i.key = u.key;

-- name: accept_store
-- Second statement of the slow path: stores new messages, their queued deliveries, those that wait for a later time and, in the
-- ledger, those refused at the door.
with m as (
    insert into message (id, tenant, lane, path, from_address, recipients, campaign, list, bytes, api_key, tags, send_at, accepted_at, alike,
                         other_path)
    select id, tenant, lane, path, from_address, string_to_array(recipients, E'\n'), campaign, list, bytes, api_key, tags::jsonb,
           send_at, case when send_at is not null then $22::bigint end, alike, others
      from unnest($1::bigint[], $2::int[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::int[], $10::int[],
                  $38::text[], $39::bigint[], $49::int[], $50::bigint[])
        u (id, tenant, lane, path, from_address, recipients, campaign, list, bytes, api_key, tags, send_at, alike, others)
), c as (
    insert into content (id, body) select * from unnest($34::bigint[], $11::bytea[])
), uc as (
    insert into urgent_content (id, body) select * from unnest($35::bigint[], $36::bytea[])
), r as (
    insert into recipient (tenant, hash, id) select * from unnest($12::int[], $13::bytea[], $14::bigint[])
), q as (
    insert into ready (lane, id, tenant, provider, hash, campaign, list)
    select * from unnest($15::int[], $16::bigint[], $17::int[], $18::smallint[], $19::bytea[], $20::text[], $21::text[])
), w as (
    insert into waiting (lane, id, tenant, why, until, attempt, provider, hash, campaign, list, code, reason, since)
    select lane, id, tenant, 4, until, 0, provider, hash, campaign, list, 'scheduled', reason, $22
      from unnest($40::int[], $41::bigint[], $42::int[], $43::bigint[], $44::smallint[], $45::bytea[], $46::text[], $47::text[], $48::text[])
        u (lane, id, tenant, until, provider, hash, campaign, list, reason)
), g as (
    insert into ledger (id, tenant, lane, state, attempt, provider, at, reason, detail)
    select id, tenant, lane, 10, 0, provider, $22, reason, detail
      from unnest($23::bigint[], $24::int[], $25::int[], $26::smallint[], $27::text[], $28::text[])
        u (id, tenant, lane, provider, reason, detail)
), n as (
    insert into lane_intake as i (lane, node, deliveries, bytes, refused)
    select lane, $29::int, deliveries, bytes, refused
      from unnest($30::int[], $31::bigint[], $32::bigint[], $37::bigint[]) u (lane, deliveries, bytes, refused)
    on conflict (lane, node) do update
    set deliveries = i.deliveries + excluded.deliveries, bytes = i.bytes + excluded.bytes, refused = i.refused + excluded.refused
)
select wake_turns($33::int[], 0);

-- name: backlogs
-- What was accepted minus what was finished, per lane. Both are counted per node, so that processes do not wait for each other's
-- row.
select u.lane,
       coalesce((select sum(deliveries) from lane_intake i where i.lane = u.lane), 0)::bigint
         - coalesce((select sum(deliveries) from lane_finished f where f.lane = u.lane), 0)::bigint as deliveries,
       coalesce((select sum(bytes) from lane_intake i where i.lane = u.lane), 0)::bigint
         - coalesce((select sum(bytes) from lane_finished f where f.lane = u.lane), 0)::bigint as bytes,
       (select r.id from ready r where r.lane = u.lane order by r.id limit 1) as oldest_id, now_ms() as now
  from unnest($1::int[]) u (lane);
