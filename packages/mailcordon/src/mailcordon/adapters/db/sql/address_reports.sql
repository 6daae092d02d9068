-- What events reported about addresses, and what follows from several of them together.

-- name: lock_addresses
-- One observer after the other decides about an address. Sorted by the caller, and taken before any row of `suppression`.
select pg_advisory_xact_lock(k) from unnest($1::text::bigint[]) k;

-- name: remember
-- Reports about addresses. A copy of an event changes nothing.
insert into address_report (tenant, hash, key, kind, class, at, cause, address, evidence)
select x.tenant, x.hash, x.key, x.kind, x.class, x.at, x.cause, case when f.hash is null then x.address else 'erased' end,
       case when f.hash is null then x.evidence::jsonb else '{}' end
  from unnest($1::text::int[], $2::text::bytea[], $3::text::bytea[], $4::text::smallint[], $5::text::smallint[], $6::text::bigint[],
              $7::text::text[], $8::text::text[], $9::text::text[])
       as x (tenant, hash, key, kind, class, at, cause, address, evidence)
  left join forgotten_address f on f.tenant = x.tenant and f.hash = x.hash
on conflict do nothing;

-- name: remembered
-- All reports about these addresses: at most some twenty of a kind and day are kept.
select a.tenant, a.hash, a.key, a.kind, a.class, a.at, a.cause, a.address, a.evidence
  from unnest($1::text::int[], $2::text::bytea[]) x (tenant, hash)
  join address_report a on a.tenant = x.tenant and a.hash = x.hash;

-- name: removed_by_people
-- Until when evidence about these addresses is void.
select r.tenant, r.hash, r.scope, r.target, r.at
  from unnest($1::text::int[], $2::text::bytea[]) x (tenant, hash)
  join suppression_removal r on r.tenant = x.tenant and r.hash = x.hash;

-- name: forget_reports
-- Reports beyond what is kept of a day.
delete from address_report a
 using unnest($1::text::int[], $2::text::bytea[], $3::text::bytea[]) x (tenant, hash, key)
 where a.tenant = x.tenant and a.hash = x.hash and a.key = x.key;

-- name: lift
-- What not-spam feedback takes back, as SES takes back its own entry.
delete from suppression s
 using unnest($1::text::int[], $2::text::bytea[], $3::text::int[], $4::text::bigint[]) x (tenant, hash, class, at)
 where s.tenant = x.tenant and s.hash = x.hash and s.scope = 1 and s.target = x.class and s.since <= x.at
   and s.cause in ('complaint', 'ses-tenant-complaint', 'ses-account-complaint');

-- name: want_entries
-- Asks control to read SES's entries: those never read, and those read more than a day ago.
insert into ses_entry as e (tenant, hash, list, spelling, wanted_since)
select x.tenant, x.hash, x.list, x.spelling, now_ms()
  from unnest($1::text::int[], $2::text::bytea[], $3::text::text[], $4::text::text[]) x (tenant, hash, list, spelling)
 where not exists (select from forgotten_address f where f.tenant = x.tenant and f.hash = x.hash)
on conflict (tenant, hash, list, spelling) do update set wanted_since = now_ms()
 where e.wanted_since is null and e.read_at < now_ms() - 86400000;

-- name: unlist
-- Asks control to take addresses off SES's lists, for the newest bounce of each; whatever the order in which bounces come. Not of
-- addresses that were forgotten: they stay suppressed, and their spelling is not stored again.
insert into ses_unlisting as u (tenant, hash, spelling, ses_id, since, due_at)
select x.tenant, x.hash, x.spelling, x.ses_id, x.since, x.due_at
  from unnest($1::text::int[], $2::text::bytea[], $3::text::text[], $4::text::text[], $5::text::bigint[], $6::text::bigint[])
       as x (tenant, hash, spelling, ses_id, since, due_at)
 where not exists (select from forgotten_address f where f.tenant = x.tenant and f.hash = x.hash)
on conflict (tenant, hash, spelling) do update
   set ses_id = excluded.ses_id, since = excluded.since, due_at = excluded.due_at, tries = 0, problem = null
 where (excluded.since, excluded.ses_id collate "C") > (u.since, u.ses_id collate "C");

-- name: deleted_entries
-- When control deleted SES's entries of these addresses for bounces that are not about the address. The rows stay locked: control
-- deletes before this transaction, which then sees it, or after it, and then takes back what its hits suppressed.
select u.tenant, u.hash, u.deleted_at
  from (select distinct * from unnest($1::text::int[], $2::text::bytea[]) x (tenant, hash)) x
  join ses_unlisting u on u.tenant = x.tenant and u.hash = x.hash
 order by u.tenant, u.hash, u.spelling for share of u;
