-- All lanes at a glance (control/lane_map.py).

-- name: lane_map
-- The lanes that a filter names, in the wanted order, and how many there are in each state. Volumes are of the buckets of six hours
-- that begin at these minutes ($1): a day of 20,000 lanes is 100,000 rows. $2: the tenant, $3: the class, $4: only this state.
with volume as materialized (
    select c.lane, sum(c.sent) as sent, sum(c.hard_bounced) as hard_bounced, sum(c.complained) as complained
      from unnest($1::int[]) b (minute)
     cross join lateral (select x.lane, x.sent, x.hard_bounced, x.complained from cohort_lane x
                          where x.span = 360 and x.minute = b.minute offset 0) c
     group by c.lane
), slowed as materialized (
    select distinct l.id
      from hold h join lane l on l.tenant = h.tenant and hold_covers(h, l.tenant, l.class, l.id) where h.lifted_at is null
), found as materialized (
    select e.slug as tenant, t.name as type, l.class,
           case when l.held then 'held' when l.stopped or (select every_lane_stopped()) then 'stopped'
                when s.id is not null then 'throttled' else 'open' end as state,
           coalesce(v.sent, 0)::bigint as sent, coalesce(v.hard_bounced, 0)::bigint as hard_bounced,
           coalesce(v.complained, 0)::bigint as complained
      from lane l join tenant e on e.id = l.tenant join message_type t on t.id = l.type
      left join volume v on v.lane = l.id left join slowed s on s.id = l.id
     where l.retired_at is null and not l.observed and ($2::int is null or l.tenant = $2) and ($3::smallint is null or l.class = $3)
)
select c.is_open, c.throttled, c.stopped, c.held, f.*
  from (select count(*) filter (where state = 'open') as is_open, count(*) filter (where state = 'throttled') as throttled,
               count(*) filter (where state = 'stopped') as stopped, count(*) filter (where state = 'held') as held from found) c
  left join lateral (
       select * from found where $4::text is null or state = $4
        order by case when $5::text = 'attention' then case state when 'open' then 2 when 'throttled' then 1 else 0 end end,
                 case when $5 = 'name' then tenant end, case when $5 = 'name' then type end,
                 case $5 when 'bounces' then hard_bounced when 'complaints' then complained end desc, sent desc, tenant, type
        limit $6) f on true;
