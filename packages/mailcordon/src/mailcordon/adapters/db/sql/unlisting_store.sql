-- Entries of SES's lists for bounces that are not about the address.

-- name: due
-- Those that are due: the tenants take turns, of each the oldest first. A hit on the entry itself is no other reason to suppress the address.
select u.tenant, u.hash, u.spelling, u.ses_id, u.since, u.tries,
       array(select r.name from ses_resource r where r.tenant = u.tenant and r.kind = 'tenant' order by r.name) as lists,
       exists (
           select from suppression s
            where s.tenant = u.tenant and s.hash = u.hash and s.removing_since is null
              and (s.until is null or s.until > now_ms()) and not (s.cause = 'ses-tenant-list' and s.since >= u.since)
       ) as suppressed
  from (select distinct tenant from ses_unlisting where due_at <= now_ms()) a
 cross join lateral (
    select *, row_number() over (order by due_at) as turn from ses_unlisting
     where tenant = a.tenant and due_at <= now_ms() order by due_at limit $1) u
 order by u.turn, u.due_at limit $1;

-- name: not_listed
-- Only if the address did not bounce again since. A deletion is remembered.
with done as (
    update ses_unlisting set due_at = null
     where tenant = $1 and hash = $2 and spelling = $3 and since = $4 and deleted_at is not null
)
delete from ses_unlisting where tenant = $1 and hash = $2 and spelling = $3 and since = $4 and deleted_at is null;

-- name: deleted
-- From here on, hits on the entry suppress nothing (`deleted_entries` of address_reports.sql).
update ses_unlisting set deleted_at = now_ms(), due_at = case when since = $4 then null else due_at end
 where tenant = $1 and hash = $2 and spelling = $3;

-- name: reopen
-- What hits on the deleted entry suppressed.
delete from suppression where tenant = $1 and hash = $2 and cause = 'ses-tenant-list' and since >= $3;

-- name: later
-- Tried again; `tries` counts only answers.
update ses_unlisting
   set due_at = now_ms() + $5::bigint, problem = $6, tries = tries + case when $6::text is null then 1 else 0 end
 where tenant = $1 and hash = $2 and spelling = $3 and since = $4;
