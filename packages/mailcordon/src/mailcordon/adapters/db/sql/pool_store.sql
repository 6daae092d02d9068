-- IP pools and their members, as the control role (docs/ip-pools.md).

-- name: pools
-- All of them, or the one with this name.
select p.*, s.state, s.error, s.observed,
       (select (a.whole ->> 'DedicatedIpAutoWarmupEnabled')::boolean from ses_resource a where a.kind = 'account' limit 1) as auto_warm_up
  from ip_pool p left join ses_resource s on s.kind = 'ip-pool' and s.name = p.name
 where $1::text is null or p.name = $1 order by p.name;

-- name: members
-- Of these pools. SES has the pool on the set of a member once it was read back.
select m.pool, e.slug as tenant, m.class, m.because, m.since, m.added_by,
       coalesce(s.observed ->> 'sending_pool' = m.pool, false) as at_ses
  from ip_pool_member m join tenant e on e.id = m.tenant
  left join configuration_set c on c.tenant = m.tenant and c.class = m.class and c.kind = 'dedicated'
  left join ses_resource s on s.kind = 'configuration-set' and s.name = c.name
 where m.ended_at is null and m.pool = any ($1::text[]) order by m.pool, e.slug, m.class;

-- name: weeks
-- What the members of these pools sent in the seven days before today, by provider. The day on which one joined does not count.
with place as (
    select m.pool, l.id as lane, greatest(m.since / 86400000 + 1, now_ms() / 86400000 - 7) as first
      from ip_pool_member m join lane l on l.tenant = m.tenant and l.class = m.class
     where m.ended_at is null and m.pool = any ($1::text[])
), days as (
    select pool, now_ms() / 86400000 - min(first) as days from place group by pool
)
select n.pool, coalesce(d.provider, -1) as provider, greatest(n.days, 0)::int as days, coalesce(sum(d.sent), 0)::bigint as sent,
       coalesce(sum(d.blocks), 0)::bigint as blocks, coalesce(sum(d.complained), 0)::bigint as complaints
  from days n
  left join lateral (
      select x.provider, x.sent, coalesce(x.sender_reputation, 0) + coalesce(x.content, 0) + coalesce(x.policy, 0) as blocks, x.complained
        from place p
       cross join lateral generate_series(p.first, now_ms() / 86400000 - 1) g (day)
        join cohort_day x on x.day = g.day and x.lane = p.lane
       where p.pool = n.pool) d on true
 group by 1, 2, n.days order by 1, 2;

-- name: create_pool
-- No row if there is one of this name.
insert into ip_pool (name, managed, marketing, owner, because, minimum, escalation, created_by)
values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (name) do nothing returning name;

-- name: count_pools
-- SES allows 50 in an account and region.
select count(*) from ip_pool;

-- name: change_pool
-- Null: as it is.
update ip_pool set owner = coalesce($2, owner), minimum = coalesce($3, minimum), escalation = coalesce($4, escalation)
 where name = $1 returning name;

-- name: uses
-- What uses a pool, one row for each kind.
select what, array_agg(distinct name order by name) as names
  from (
      select 'tenants' as what, e.slug as name from ip_pool_member m join tenant e on e.id = m.tenant where m.pool = $1 and m.ended_at is null
      union all
      select 'lanes', e.slug || '/' || t.name
        from route r join lane l on l.id = r.lane join tenant e on e.id = l.tenant join message_type t on t.id = l.type where r.ip_pool = $1
      union all
      select 'paths', name from shared_path where ip_pool = $1
      union all
      select 'sets', name from ses_resource
       where kind = 'configuration-set' and (wanted and desired ->> 'sending_pool' = $1 or observed ->> 'sending_pool' = $1)
      union all
      select 'plans', p.id::text from plan p cross join lateral jsonb_array_elements(p.steps) s
       where p.state in ('proposed', 'applying') and s ->> 'kind' = 'set-pool' and split_part(s ->> 'to', ' ', 2) = $1
  ) x
 group by what;

-- name: forget_troubles
-- What was wrong with a pool goes with it.
delete from ip_pool_trouble where pool = $1;

-- name: delete_pool
-- Nobody is in it, or a constraint says so.
delete from ip_pool where name = $1;

-- name: sender
-- A tenant, with the classes of its lanes.
select e.ses_tenants, array_agg(distinct l.class order by l.class) filter (where l.id is not null) as classes
  from tenant e left join lane l on l.tenant = e.id and l.retiring_at is null and not l.observed
 where e.slug = $1 and not e.observed group by e.id;

-- name: end_troubles
-- Those that are not among the present ones.
delete from ip_pool_trouble t
 where not exists (select from unnest($1::text[], $2::text[], $3::smallint[]) u (pool, code, provider)
                    where u.pool = t.pool and u.code = t.code and u.provider is not distinct from t.provider);

-- name: keep_troubles
-- With the time since which each lasts.
insert into ip_pool_trouble (pool, code, provider, sentence, next)
select * from unnest($1::text[], $2::text[], $3::smallint[], $4::text[], $5::text[])
on conflict (pool, code, provider) do update set sentence = excluded.sentence, next = excluded.next;
