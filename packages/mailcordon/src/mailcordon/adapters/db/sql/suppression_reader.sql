-- Reading suppressions.

-- name: suppressions
-- A page of the suppressions in force, in the order of their key.
select s.tenant, s.address, s.scope, s.target, y.name as type, s.cause, s.evidence, s.since, s.until, s.by,
       s.removing_since, s.removal_waits, s.hash
  from suppression s
  left join lane l on s.scope = 2 and l.id = s.target
  left join message_type y on y.id = l.type
 where s.tenant = $1 and ($2::bytea is null or s.hash = $2) and (s.until is null or s.until > now_ms())
   and (s.hash, s.scope, s.target) > ($3::bytea, $4::smallint, $5::int)
 order by s.hash, s.scope, s.target
 limit $6;

-- name: suppressions_of
-- All suppressions of one address, expired ones too, and the platform's.
select s.tenant, s.address, s.scope, s.target, y.name as type, s.cause, s.evidence::text as evidence, s.since, s.until, s.by,
       s.removing_since, s.removal_waits, s.hash
  from suppression s
  left join lane l on s.scope = 2 and l.id = s.target
  left join message_type y on y.id = l.type
 where s.tenant = $1 and s.hash = $2
 order by s.scope, s.target;

-- name: platform_suppression_of
-- Only control may read the platform's list.
select 0 as tenant, p.address, 3::smallint as scope, 0 as target, null::text as type, p.cause, '{}'::text as evidence, p.since,
       null::bigint as until, p.by, null::bigint as removing_since, null::text as removal_waits, p.hash, p.class as only
  from platform_suppression p where p.hash = $1;

-- name: entries_of
-- What SES's lists say of it, as it was read last.
select list, spelling, found, reason, listed_at, message_id, feedback_id, read_at, problem from ses_entry
 where tenant = $1 and hash = $2 order by list, spelling limit 100;

-- name: dropped
-- Of the newest thousand mails to it, those that a suppression of ours refused and those that a list of SES dropped.
select x.id as delivery, y.name as type, coalesce(o.at, g.at) as at, o.id is not null as by_ses
  from (select id from recipient where tenant = $1 and hash = $2 order by id desc limit 1000) x
  left join lateral (select at, lane, reason, state from ledger where id = x.id limit 1) g on true
  left join lateral (select id, at, lane from outcome where id = x.id and state = 24 limit 1) o on true
  join lane l on l.id = coalesce(o.lane, g.lane)
  join message_type y on y.id = l.type
 where o.id is not null or g.state = 10 and g.reason = 'suppressed'
 order by x.id desc limit $3;

-- name: soft_bounces
-- Soft bounces of it that count for the policy of repetition.
select now_ms() as now, (select count(*) from address_report where tenant = $1 and hash = $2 and kind = 0)::int as number;
