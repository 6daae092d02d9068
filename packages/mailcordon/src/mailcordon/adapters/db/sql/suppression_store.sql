-- Changing suppressions by hand.

-- name: suppression_at
-- Locked, since a change follows in the same transaction.
select s.tenant, s.address, s.scope, s.target, y.name as type, s.cause, s.evidence, s.since, s.until, s.by, s.removing_since, s.hash
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
