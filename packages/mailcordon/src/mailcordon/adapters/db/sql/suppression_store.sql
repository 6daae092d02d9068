-- Changing suppressions by hand.

-- name: suppression_at
-- Locked, since a change follows in the same transaction.
select s.tenant, s.address, s.scope, s.target, y.name as type, s.cause, s.evidence, s.since, s.until, s.by,
       s.removing_since, s.removal_waits, s.hash
  from suppression s
  left join lane l on s.scope = 2 and l.id = s.target
  left join message_type y on y.id = l.type
 where (s.tenant, s.hash, s.scope, s.target) = ($1, $2::bytea, $3::smallint, $4::int)
   for update of s;

-- name: remove_suppression
-- It stands until control has read that SES's entry is gone, and then deletes this row. Evidence from before the removal is void.
with asked as (
    update suppression set removing_since = now_ms(), removal_waits = null, removal_next_at = null
     where (tenant, hash, scope, target) = ($1, $2::bytea, $3::smallint, $4::int) and removing_since is null
    returning tenant, hash, scope, target, removing_since
)
insert into suppression_removal as r (tenant, hash, scope, target, at)
select * from asked
on conflict (tenant, hash, scope, target) do update set at = greatest(r.at, excluded.at);

-- name: remove_soon
-- A removal that waits is asked for again: whoever asks has perhaps mended what it waits for.
update suppression set removal_next_at = null
 where (tenant, hash, scope, target) = ($1, $2::bytea, $3::smallint, $4::int) and removing_since is not null;

-- name: want_entries
-- Asks control to read what SES's lists have of an address: of each of the tenant's SES tenants, of the account's list if SES checks
-- it for the tenant; as asked, in lower case, as mailed, and in every spelling that was read before. Once a minute at most.
with lists as (
    select r.name as list from ses_resource r
     where r.tenant = $1 and r.kind = 'tenant'
       and not exists (select from forgotten_address f where f.tenant = $1 and f.hash = $2)
    union all
    select '' where not exists (select from forgotten_address f where f.tenant = $1 and f.hash = $2) and exists (select from ses_resource r where r.tenant = $1 and r.kind = 'tenant'
                                                         and r.observed ->> 'suppression_scope' <> 'TENANT')
), spellings as (
    select $3::text as spelling union select lower($3::text)
    union select e.spelling from ses_entry e where e.tenant = $1 and e.hash = $2
    union
    select m.recipients[(x.id & 63)::int]
      from (select id from recipient where tenant = $1 and hash = $2 order by id desc limit 20) x
      join message m on m.id = x.id & ~63::bigint
     where m.recipients[(x.id & 63)::int] like '%@%'
), asked as (
    insert into ses_entry as e (tenant, hash, list, spelling, wanted_since)
    select $1, $2, l.list, s.spelling, now_ms() from lists l cross join spellings s
    on conflict (tenant, hash, list, spelling) do update set wanted_since = now_ms(), next_try_at = null
     where e.wanted_since is null and coalesce(e.read_at, 0) < now_ms() - 60000
    returning 1
)
select count(*) from asked;

-- name: standing
-- How many of these suppressions stand since this moment for this cause: the others gave way to what lasts as long.
select count(*)::int
  from unnest($2::text::bytea[], $3::text::smallint[], $4::text::int[]) x (hash, scope, target)
  join suppression s on (s.tenant, s.hash, s.scope, s.target) = ($1::int, x.hash, x.scope, x.target)
 where s.since = $5::bigint and s.cause = $6::text;

-- name: forget_address
-- As the owner: no login may change what is recorded of mail.
select forget_address($1, $2, $3, $4);
