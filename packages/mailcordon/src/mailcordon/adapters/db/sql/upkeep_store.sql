-- Housekeeping of the control role, in bounded steps.

-- name: write_account
-- The rate in use follows a new ceiling; below the ceiling, dispatchers raise and cut it. Only they write the tokens and their
-- time.
insert into account_rate (cell, ceiling, rate, tokens, at, max_24h, sent_24h, sending_enabled, enforcement, polled_at)
values ($1, $2, $2, 0, now_ms(), $3, $4, $5, $6, now_ms())
on conflict (cell) do update
set rate = case when account_rate.rate >= account_rate.ceiling then excluded.ceiling
                else least(account_rate.rate, excluded.ceiling) end,
    ceiling = excluded.ceiling, max_24h = excluded.max_24h, sent_24h = excluded.sent_24h,
    sending_enabled = excluded.sending_enabled, enforcement = excluded.enforcement, polled_at = excluded.polled_at;

-- name: tenants_by_key
-- Our tenants by the name they have at SES.
select id, key from tenant where key = any($1);

-- name: tenants_paused_by_ses
-- SES's open holds on whole tenants, placed by the poll or by a dispatcher whose call was refused.
select tenant, array_agg(id order by id) as holds
from hold
where lifted_at is null and owner = 'ses' and class is null and lane is null
  and provider is null and campaign is null and list is null
group by tenant;

-- name: recheck_refused
-- SES refused a lane's call because of its configuration, after we last saw that configuration: it is checked again, once for
-- each such hold.
update ses_resource r
set next_try_at = now()
where r.state = 'applied' and r.next_try_at > now() and exists (
    select from hold h
    where h.tenant = r.tenant and h.lifted_at is null and h.owner = 'ses' and h.lane is not null
      and h.since > extract(epoch from r.observed_at) * 1000
);

-- name: requested_removals
-- Suppressions that a person asked to remove. `alone`: no other suppression of the address stands, so SES's own entry must go
-- too.
select s.tenant, e.key, e.slug, s.hash, s.scope, s.target, s.address,
       not exists (
           select from suppression o
           where o.tenant = s.tenant and o.hash = s.hash and o.removing_since is null
             and (o.until is null or o.until > now_ms())
       ) as alone
from suppression s join tenant e on e.id = s.tenant
where s.removing_since is not null
order by s.removing_since limit $1;

-- name: delete_removed
-- Only if the address was not suppressed again since.
delete from suppression
where tenant = $1 and hash = $2 and scope = $3 and target = $4 and removing_since is not null
returning tenant;

-- name: ensure_partitions
-- Creates the partitions of the next days.
select ensure_partitions($1);

-- name: purge_idempotency
-- Idempotency keys are kept for 24 hours.
delete from idempotency
where ctid = any(array(
    select ctid from idempotency where message < ((now_ms() - 86400000 - 1767225600000) << 22) limit $1
));

-- name: purge_content
-- Bodies past their retention. What a queue still needs stays.
with seen as materialized (
    select id from content where id > $1 and id < ((now_ms() - $2::bigint - 1767225600000) << 22) order by id limit $3
), old as (
    select s.id
    from seen s join message m on m.id = s.id
    where not exists (select from ready r where r.lane = m.lane and r.id > s.id and r.id < s.id + 64)
      and not exists (select from waiting w where w.lane = m.lane and w.id > s.id and w.id < s.id + 64)
), gone as (
    delete from content c using old where c.id = old.id returning c.id
)
select (select count(*) from gone)::int as gone, (select max(id) from seen) as last;

-- name: purge_urgent_content
-- Urgent bodies are deleted at hand-over; this deletes those of mail that never left. What a queue still needs stays.
with seen as materialized (
    select id from urgent_content where id > $1 and id < ((now_ms() - $2::bigint - 1767225600000) << 22) order by id limit $3
), old as (
    select s.id
    from seen s join message m on m.id = s.id
    where not exists (select from ready r where r.lane = m.lane and r.id > s.id and r.id < s.id + 64)
      and not exists (select from waiting w where w.lane = m.lane and w.id > s.id and w.id < s.id + 64)
), gone as (
    delete from urgent_content c using old where c.id = old.id returning c.id
)
select (select count(*) from gone)::int as gone, (select max(id) from seen) as last;
