-- Limits as their owners write them (docs/limits.md). Dispatchers read them in limit_reading.sql.

-- name: replace
-- Returns how many limits changed. Nothing else of this transaction need follow: the next claim sees the change.
select replace_limits($1, $2, $3::jsonb, $4);

-- name: replace_many
-- For many tenants or lanes at once. What has no limit and gets none is left alone.
select replace_limits_of(array_agg(u.tenant), array_agg(u.owner), array_agg(u.lane), array_agg(u.wanted))
  from unnest($1::int[], $2::text[], $3::jsonb[], $4::int[]) u (tenant, owner, wanted, lane)
 where u.wanted <> '[]' or exists (select from send_limit s where s.tenant = u.tenant and s.owner = u.owner
                                      and (u.lane is null or s.lane = u.lane))
having count(*) > 0;

-- name: limits
-- Of a tenant, in the order in which they were first written.
select id, tenant, owner, scope, class, lane, api_key, campaign, list, provider, domain, per, cap, mode, because, spares_urgent, refuses
  from send_limit where tenant = $1 and ($2::text is null or owner = $2) order by id;
