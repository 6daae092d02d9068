-- Reading suppressions.

-- name: suppressions
-- A page of the suppressions in force, in the order of their key.
select s.tenant, s.address, s.scope, s.target, y.name as type, s.cause, s.evidence, s.since, s.until, s.by, s.removing_since, s.hash
  from suppression s
  left join lane l on s.scope = 2 and l.id = s.target
  left join message_type y on y.id = l.type
 where s.tenant = $1 and ($2::bytea is null or s.hash = $2) and (s.until is null or s.until > now_ms())
   and (s.hash, s.scope, s.target) > ($3::bytea, $4::smallint, $5::int)
 order by s.hash, s.scope, s.target
 limit $6;
