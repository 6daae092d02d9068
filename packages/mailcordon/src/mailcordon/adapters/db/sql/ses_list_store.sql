-- What SES's suppression lists say of our addresses, and removals that wait for it.

-- name: requested_removals
-- Suppressions that a person asked to remove, and that are due, of each tenant $2 at most: nobody waits for long because another tenant
-- asked for many. `alone`: no other suppression of the address stands, so SES's own
-- entries must go too, of each of the tenant's SES tenants. SES checks the account's list for a tenant whose scope is not TENANT.
select s.tenant, e.slug, s.hash, s.scope, s.target, s.address,
       array(select r.name from ses_resource r where r.tenant = s.tenant and r.kind = 'tenant' order by r.name) as lists,
       exists (select from ses_resource r
                where r.tenant = s.tenant and r.kind = 'tenant' and r.observed ->> 'suppression_scope' <> 'TENANT') as account_applies,
       array(select n.spelling from ses_entry n where n.tenant = s.tenant and n.hash = s.hash
             union
             select m.recipients[(x.id & 63)::int]
               from (select id from recipient where tenant = s.tenant and hash = s.hash order by id desc limit 20) x
               join message m on m.id = x.id & ~63::bigint
              where m.recipients[(x.id & 63)::int] like '%@%') as spellings,
       not exists (
           select from suppression o
           where o.tenant = s.tenant and o.hash = s.hash and o.removing_since is null
             and (o.until is null or o.until > now_ms())
       ) as alone, now_ms() - s.removing_since as waited_ms
from (
    select *, row_number() over (partition by tenant order by removing_since) as turn from suppression
     where removing_since is not null and coalesce(removal_next_at, 0) <= now_ms()
) s join tenant e on e.id = s.tenant
where s.turn <= $2 order by s.turn, s.removing_since limit $1;

-- name: delete_removed
-- Only if the address was not suppressed again since. An address that was forgotten and may be mailed again is one like any other.
with gone as (
    delete from suppression
    where tenant = $1 and hash = $2 and scope = $3 and target = $4 and removing_since is not null
    returning tenant, hash, scope
), f as (
    delete from forgotten_address f using gone g where f.tenant = g.tenant and f.hash = g.hash and g.scope = 0
)
select tenant from gone;

-- name: entries_are_gone
-- SES's entries were read, and are gone.
update ses_entry set found = false, reason = null, listed_at = null, message_id = null, feedback_id = null, problem = null,
       read_at = now_ms(), wanted_since = null, next_try_at = null
 where tenant = $1 and hash = $2 and list <> '';

-- name: removal_waits
-- Why it is not done, and when it is tried again.
update suppression set removal_waits = $5, removal_next_at = now_ms() + $6::bigint
 where tenant = $1 and hash = $2 and scope = $3 and target = $4 and removing_since is not null;

-- name: wanted
-- Entries that are to be read, of each tenant $2 at most, in the order in which they were asked for.
select tenant, hash, list, spelling
  from (select tenant, hash, list, spelling, wanted_since, row_number() over (partition by tenant order by wanted_since) as turn
          from ses_entry where wanted_since is not null and not forget and coalesce(next_try_at, 0) <= now_ms()) n
 where turn <= $2 order by turn, wanted_since limit $1;

-- name: entry_read
-- What SES says of an entry now.
update ses_entry set found = $5, reason = $6, listed_at = $7, message_id = $8, feedback_id = $9, read_at = now_ms(), problem = null,
       wanted_since = null, next_try_at = null
 where tenant = $1 and hash = $2 and list = $3 and spelling = $4;

-- name: entry_not_read
-- SES could not be asked, or refused.
update ses_entry set problem = $5, next_try_at = now_ms() + $6::bigint
 where tenant = $1 and hash = $2 and list = $3 and spelling = $4;

-- name: suppress_listed
-- An address that SES lists and nothing of ours suppresses now (one that has ended gives way): SES drops its mail, for an entry because of a complaint that of
-- marketing lanes. Not if a person removed ours after SES entered it: that removal ends at SES too. An entry of the account covers
-- tenants whose scope is not TENANT. An entry that is about to be deleted (control/unlisting.py) suppresses nothing.
insert into suppression as s (tenant, hash, scope, target, address, cause, evidence, since, by)
select $1::int, $2::bytea, case when $4::bool then 1 else 0 end, case when $4::bool then 2 else 0 end, $3::text,
       case when $5::bool then 'ses-account-' else 'ses-tenant-' end || case when $4::bool then 'complaint' else 'list' end,
       $6::jsonb, coalesce($7::bigint, now_ms()), 'ses'
 where coalesce($7::bigint, now_ms()) > coalesce(
           (select max(r.at) from suppression_removal r where r.tenant = $1 and r.hash = $2 and (r.scope = 0 or $4::bool)), -1)
   and not exists (select from ses_unlisting u where u.tenant = $1 and u.hash = $2 and u.due_at is not null)
   and (not $5::bool or exists (select from ses_resource r
                                 where r.tenant = $1 and r.kind = 'tenant' and r.observed ->> 'suppression_scope' <> 'TENANT'))
on conflict (tenant, hash, scope, target) do update
   set address = excluded.address, cause = excluded.cause, evidence = excluded.evidence, since = excluded.since, until = null,
       by = excluded.by, removing_since = null, removal_waits = null, removal_next_at = null
 where s.until <= now_ms();

-- name: explain_listed
-- SES's entry says what an event of a list hit does not: since when and for which mail.
update suppression set evidence = evidence || $3::jsonb
 where tenant = $1 and hash = $2 and address <> 'erased'
   and cause in ('ses-tenant-list', 'ses-account-list', 'ses-tenant-complaint', 'ses-account-complaint');

-- name: forgotten
-- Addresses that are to be deleted from SES's lists, since their owners asked to be forgotten.
select n.tenant, e.slug, n.hash, array_agg(distinct n.spelling) as spellings,
       array(select r.name from ses_resource r where r.tenant = n.tenant and r.kind = 'tenant' order by r.name) as lists
  from ses_entry n join tenant e on e.id = n.tenant
 where n.forget and coalesce(n.next_try_at, 0) <= now_ms()
 group by n.tenant, e.slug, n.hash limit $1;

-- name: forgotten_at_ses
-- SES's lists do not have it any more.
delete from ses_entry where tenant = $1 and hash = $2 and forget;

-- name: not_forgotten
-- SES could not be asked, or still has it.
update ses_entry set problem = $3, next_try_at = now_ms() + $4::bigint where tenant = $1 and hash = $2 and forget;
