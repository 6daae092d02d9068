-- Limits as their owners write them (docs/limits.md). Dispatchers read them in limit_reading.sql.

-- name: replace
-- Returns how many limits changed. Nothing else of this transaction need follow: the next claim sees the change.
select replace_limits($1, $2, $3::jsonb, $4);

-- name: limits
-- Of a tenant, in the order in which they were first written.
select id, tenant, owner, scope, class, lane, api_key, campaign, list, provider, domain, per, cap, mode, because, spares_urgent, refuses
  from send_limit where tenant = $1 and ($2::text is null or owner = $2) order by id;
