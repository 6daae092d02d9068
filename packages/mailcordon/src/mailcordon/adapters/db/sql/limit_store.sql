-- Limits as their owners write them (docs/limits.md). Dispatchers read them in limit_reading.sql.

-- name: replace
-- Returns how many limits changed. Nothing else of this transaction need follow: the next claim sees the change.
select replace_limits($1, $2, $3::jsonb, $4);

-- name: replace_many
-- For many tenants or lanes at once, in this order. What has no limit and gets none is left alone.
select sum(replace_limits(u.tenant, u.owner, u.wanted, u.lane))
  from unnest($1::int[], $2::text[], $3::jsonb[], $4::int[]) with ordinality u (tenant, owner, wanted, lane, place)
 where u.wanted <> '[]' or exists (select from send_limit s where s.tenant = u.tenant and s.owner = u.owner
                                      and (u.lane is null or s.lane = u.lane));

-- name: limits
-- Of a tenant, in the order in which they were first written.
select id, tenant, owner, scope, class, lane, api_key, campaign, list, provider, domain, per, cap, mode, because, spares_urgent, refuses
  from send_limit where tenant = $1 and ($2::text is null or owner = $2) order by id;
