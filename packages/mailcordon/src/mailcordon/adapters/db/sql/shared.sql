-- Statements that several stores use.

-- name: write_audit
-- One row of the audit trail. `before` and `after` are JSON or null.
select write_audit($1, $2, $3, $4, $5::jsonb, $6::jsonb, $7);

-- name: write_personal_audit
-- As `write_audit`, with fields of a person that can be erased later: JSON of {name: text}. The object and the reason name such a
-- field as {name}.
select write_audit($1, $2, $3, $4, $5::jsonb, $6::jsonb, $7, $8::jsonb);

-- name: bump_epoch
-- Tells every process that caches what the epoch guards (`control`, `hold`) to read it again.
update epoch set value = value + 1 where name = $1;

-- name: epoch
-- The current number of one epoch.
select value from epoch where name = $1;

-- name: now
-- The database's clock, in ms since 1970.
select now_ms();

-- name: outflow
-- Whether mail can leave at all: the last report of a dispatcher, and the account of the cell that can send most.
select now_ms() as now, (select beat from role_beat where role = 'dispatch') as dispatch_beat, a.cell is not null as account_known,
       coalesce(a.enabled, true) as enabled, a.quota, coalesce(a.quota_left, 0) as quota_left
  from (values (1)) one
  left join lateral (select * from account_state order by enabled desc, quota_left desc nulls first limit 1) a on true;

-- name: now_and_control_epoch
-- The database's clock and the control epoch, as of one snapshot.
select now_ms() as now, (select value from epoch where name = 'control') as epoch;

-- name: active_tenant_id
-- Only a tenant that is not retired.
select id from tenant where slug = $1 and retired_at is null;

-- name: tenant_id
-- Retired tenants too: their mail and suppressions can still be read.
select id from tenant where slug = $1;

-- name: first_key_prefix
-- The tenant's oldest key that still works, to be shown by its prefix.
select prefix from api_key
where tenant = $1 and revoked_at is null and (expires_at is null or expires_at > now())
order by id limit 1;

-- name: why_held
-- The first hold that stops each of these lanes as a whole. Narrower holds do not hold a lane.
select distinct on (l.id) l.id as covered_lane, h.id, h.tenant, h.class, h.lane, h.provider, h.campaign, h.list, h.stops, h.rate,
       h.owner, h.because, h.by, h.since, h.until
  from lane l join hold h on h.lifted_at is null and h.stops and hold_covers(h, l.tenant, l.class, l.id) and not hold_is_narrow(h)
 where l.id = any ($1::int[])
 order by l.id, h.id;

-- name: wake_turns
-- Idle turns that have new ready mail, and turns of released lanes that waited for a rate limit, are due now.
select turns_wake($1::int[]);

-- name: why_stopped
-- The first open stop of each of these lanes: one that names a part of its route, else one that stops every lane.
select distinct on (l.lane) l.lane as covered_lane, s.*
  from unnest($1::int[]) l (lane) cross join lateral stops_on(l.lane, null) s
 order by l.lane, s.scope in ('cell', 'worker'), s.id;

-- name: open_stops
-- What SES refuses, or the way to it, oldest first. A dispatcher does not call over a route that one of them covers.
select * from stop where ended_at is null order by id;

-- name: try_lock
-- A lock of the session. It ends with the connection, so a dead process holds nothing.
select pg_try_advisory_lock($1, $2);

-- name: try_lock_in_transaction
-- As `try_lock`, until the transaction ends.
select pg_try_advisory_xact_lock($1, $2);

-- name: lock
-- As `try_lock`, but waits for another session to release it.
select pg_advisory_lock($1, $2);

-- name: lock_shared
-- As `lock` for each second key of $2, but several sessions may have it.
select pg_advisory_lock_shared($1, u.key) from unnest($2::int[]) u (key);

-- name: unlock_shared
-- Releases them.
select pg_advisory_unlock_shared($1, u.key) from unnest($2::int[]) u (key);

-- name: unlock
-- Releases a lock of this session.
select pg_advisory_unlock($1, $2);

-- name: why_suppressed
-- The widest suppression of each recipient, or the platform list, as the reason for the refusal.
select u.o, coalesce(s.cause, p.cause) as cause, coalesce(s.scope, 3) as scope, coalesce(s.since, p.since) as since,
       coalesce(s.by, p.by) as by, s.until, case when s.scope is null then p.class end as only
  from unnest($1::int[], $2::bytea[], $3::int[], $4::int[]) with ordinality u (tenant, hash, class, lane, o)
  left join lateral (select * from suppression s where s.tenant = u.tenant and s.hash = u.hash
                        and (s.scope = 0 or s.scope = 1 and s.target = u.class or s.scope = 2 and s.target = u.lane)
                        and (s.until is null or s.until > now_ms()) order by s.scope limit 1) s on true
  left join platform_suppression p on p.hash = u.hash and (p.class is null or p.class = u.class);

-- name: lane_by_type
-- A lane by its type's name, retired ones included.
select l.id from lane l join message_type y on y.id = l.type where l.tenant = $1 and y.name = $2;
