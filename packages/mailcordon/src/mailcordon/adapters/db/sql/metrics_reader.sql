-- Counts and rates for people (docs/decisions/038-rates.md). A statement that counts has three parts, put together by
-- metrics_reading.py: `cells_...` reads the buckets of a window from one table, a line each for lane and path (and what the question
-- tells apart); `counted` or `ranked` adds them up by what the question is by. `counts` stands for the sums of all columns of
-- core/cohort.py.
--
-- Added up, they are a line each for lane and path; for questions about all lanes they are not, as adding up once is cheaper than twice.
--
-- $1 to $6 are the buckets of the window: span and first minute, and the shares of bounces, complaints, blocks and delays that have
-- come of mail of that age. $7: lanes; $8, $9: slices, if the cells are of some only. $10: provider.

-- name: begin
-- The time, and memory for sums over all lanes. `offset 0` below keeps each bucket a look-up of its own, as the buckets begin the key:
-- the planner knows neither how many there are nor that they lie together.
select now_ms(), set_config('work_mem', '64MB', true);

-- name: cells_lane
-- Of every lane, from the sums by lane.
select c.lane, c.isolated, {tenant} as tenant, null::int as slice, null::int as provider, {at} as at, {counts}, {silent}, {exposures}
  from unnest($1::int[], $2::int[], $3::float4[], $4::float4[], $5::float4[], $6::float4[]) b (span, minute, bounces, complaints, blocks, delays)
 cross join lateral (select * from cohort_lane x where x.span = b.span and x.minute = b.minute offset 0) c
 where $7::int[] is null and $8::int[] is null and $9::int[] is null and $10::smallint is null{by_lane};

-- name: cells_lane_of
-- Of some lanes: each bucket of each lane is looked up.
select c.lane, c.isolated, {tenant} as tenant, null::int as slice, null::int as provider, {at} as at, {counts}, {silent}, {exposures}
  from unnest($1::int[], $2::int[], $3::float4[], $4::float4[], $5::float4[], $6::float4[]) b (span, minute, bounces, complaints, blocks, delays)
 cross join unnest($7::int[]) l (lane)
 cross join lateral (select * from cohort_lane x where x.span = b.span and x.minute = b.minute and x.lane = l.lane offset 0) c
 where $8::int[] is null and $9::int[] is null and $10::smallint is null{by_lane};

-- name: cells_minute
-- Of every slice by minute, at one provider or at each.
select s.lane, s.path = 'isolated' as isolated, s.tenant, c.slice, c.provider::int, c.at, {added}
  from (select c.slice, c.provider, {at} as at, {counts}, {provider_silent}, {provider_exposures}
          from unnest($1::int[], $2::int[], $3::float4[], $4::float4[], $5::float4[], $6::float4[]) b (span, minute, bounces, complaints, blocks, delays)
         cross join lateral (select * from cohort_minute x where x.minute = b.minute and {at_provider} offset 0) c
          left join complaint_silence q on q.provider = c.provider and q.from_minute <= b.minute
         where $7::int[] is null and $8::int[] is null and $9::int[] is null{by_slice}) c
  join slice s on s.id = c.slice;

-- name: cells_minute_of
-- Of some slices by minute; $9 has the last minute of each, so that nothing is looked up after it.
select s.lane, s.path = 'isolated' as isolated, s.tenant, c.slice, c.provider::int, c.at, {added}
  from (select c.slice, c.provider, {at} as at, {counts}, {provider_silent}, {provider_exposures}
          from unnest($8::int[], $9::int[]) o (slice, last)
          join unnest($1::int[], $2::int[], $3::float4[], $4::float4[], $5::float4[], $6::float4[]) b (span, minute, bounces, complaints, blocks, delays)
            on b.minute <= o.last
         cross join lateral (select * from cohort_minute x where x.minute = b.minute and x.slice = o.slice and {at_provider} offset 0) c
          left join complaint_silence q on q.provider = c.provider and q.from_minute <= b.minute
         where $7::int[] is null{by_slice}) c
  join slice s on s.id = c.slice;

-- name: cells_hour
-- Of every slice by hour, at one provider or at each.
select s.lane, s.path = 'isolated' as isolated, s.tenant, c.slice, c.provider::int, c.at, {added}
  from (select c.slice, c.provider, {at} as at, {counts}, {provider_silent}, {provider_exposures}
          from unnest($1::int[], $2::int[], $3::float4[], $4::float4[], $5::float4[], $6::float4[]) b (span, minute, bounces, complaints, blocks, delays)
         cross join lateral (select * from cohort_hour x where x.hour = b.minute / 60 and {at_provider} offset 0) c
          left join complaint_silence q on q.provider = c.provider and q.from_minute <= b.minute
         where $7::int[] is null and $8::int[] is null and $9::int[] is null{by_slice}) c
  join slice s on s.id = c.slice;

-- name: cells_hour_of
-- Of some slices by hour, up to the last minute of each.
select s.lane, s.path = 'isolated' as isolated, s.tenant, c.slice, c.provider::int, c.at, {added}
  from (select c.slice, c.provider, {at} as at, {counts}, {provider_silent}, {provider_exposures}
          from unnest($8::int[], $9::int[]) o (slice, last)
          join unnest($1::int[], $2::int[], $3::float4[], $4::float4[], $5::float4[], $6::float4[]) b (span, minute, bounces, complaints, blocks, delays)
            on b.minute <= o.last
         cross join lateral (select * from cohort_hour x where x.hour = b.minute / 60 and x.slice = o.slice and {at_provider} offset 0) c
          left join complaint_silence q on q.provider = c.provider and q.from_minute <= b.minute
         where $7::int[] is null{by_slice}) c
  join slice s on s.id = c.slice;

-- name: cells_day
-- Of every lane by day, at one provider or at each.
select c.lane, null::boolean as isolated, {tenant} as tenant, null::int as slice, c.provider::int, {at} as at, {counts}, {provider_silent}, {provider_exposures}
  from unnest($1::int[], $2::int[], $3::float4[], $4::float4[], $5::float4[], $6::float4[]) b (span, minute, bounces, complaints, blocks, delays)
 cross join lateral (select * from cohort_day x where x.day = b.minute / 1440 and {at_provider} offset 0) c
  left join complaint_silence q on q.provider = c.provider and q.from_minute <= b.minute
 where $7::int[] is null and $8::int[] is null and $9::int[] is null{by_lane_and_provider};

-- name: cells_day_of
-- Of some lanes by day.
select c.lane, null::boolean as isolated, {tenant} as tenant, null::int as slice, c.provider::int, {at} as at, {counts}, {provider_silent}, {provider_exposures}
  from unnest($1::int[], $2::int[], $3::float4[], $4::float4[], $5::float4[], $6::float4[]) b (span, minute, bounces, complaints, blocks, delays)
 cross join unnest($7::int[]) l (lane)
 cross join lateral (select * from cohort_day x where x.day = b.minute / 1440 and x.lane = l.lane and {at_provider} offset 0) c
  left join complaint_silence q on q.provider = c.provider and q.from_minute <= b.minute
 where $8::int[] is null and $9::int[] is null{by_lane_and_provider};

-- name: counted
-- A page of lines by $11 in the order of their keys, after the key $12, of a type ($14) and class ($15), or of the keys $16. A key is
-- a number, or a text after a number.
select k.*, t.slug, y.name as type_name
  from (select case when g.name is null then lpad(g.number::text, 10, '0') when g.number is null then g.name
                    else lpad(g.number::text, 10, '0') || ':' || g.name end as key, g.*
          from (select case $11::text when 'lane' then c.lane when 'tenant' then l.tenant when 'type' then l.type
                            when 'class' then l.class when 'provider' then c.provider + 1 when 'campaign' then l.tenant
                            when 'list' then l.tenant when 'domain' then null when 'pool' then null else c.at end as number,
                       case $11::text when 'campaign' then coalesce(s.campaign, '') when 'list' then coalesce(s.list, '')
                            when 'domain' then coalesce(r.domain, '') when 'pool' then coalesce(r.ip_pool, '') end as name,
                       min(l.tenant) as tenant, min(l.type) as type, min(l.class) as class, min(c.provider) as provider,
                       min(c.at) as at, min(s.campaign) as campaign, min(s.list) as list, min(r.domain) as domain,
                       min(r.ip_pool) as pool, bool_or(m.at > $17::bigint) as moved, {added_up}
                  from ({cells}) c
                  join lane l on l.id = c.lane
                  left join slice s on $11::text in ('campaign', 'list') and s.id = c.slice
                  left join route r on $11::text in ('domain', 'pool') and r.lane = c.lane
                       and r.path = case when c.isolated is null then (select min(o.path) from route o where o.lane = c.lane)
                                         when c.isolated then 'isolated' else 'shared' end
                  left join route_moved m on m.lane = r.lane and m.path = r.path
                 where ($14::smallint is null or l.type = $14) and ($15::smallint is null or l.class = $15)
                 group by 1, 2) g) k
  left join tenant t on $11::text in ('lane', 'tenant', 'campaign', 'list') and t.id = k.tenant
  left join message_type y on $11::text in ('lane', 'type') and y.id = k.type
 where ($12::text is null or k.key > $12 collate "C") and ($16::text[] is null or k.key = any ($16))
 order by k.key collate "C"
 limit $13;

-- name: counted_fleet
-- The same by type, class, provider or time, from the sums of the whole fleet, which know no lanes.
select k.*, y.name as type_name
  from (select case $7::text when 'type' then lpad(c.type::text, 10, '0') when 'class' then y.class::text
                    when 'provider' then lpad((c.provider + 1)::text, 10, '0') when 'all' then ''
                    else lpad(b.minute::text, 10, '0') end as key,
               min(c.type) as type, min(y.class) as class, min(c.provider)::int as provider, min(b.minute) as at,
               {counts}, {silent}, {exposures}
          from unnest($1::int[], $2::int[], $3::float4[], $4::float4[], $5::float4[], $6::float4[]) b (span, minute, bounces, complaints, blocks, delays)
         cross join lateral (select * from cohort_fleet x where x.span = b.span and x.minute = b.minute offset 0) c
          join message_type y on y.id = c.type
         where ($10::smallint is null or c.provider = $10) and ($11::smallint is null or c.type = $11)
           and ($12::smallint is null or y.class = $12)
         group by 1) k
  left join message_type y on $7::text = 'type' and y.id = k.type
 where ($8::text is null or k.key > $8 collate "C")
 order by k.key collate "C"
 limit $9;

-- name: counted_pools
-- A page of lines by IP pool, of all lanes, as `counted`. Each route is looked up once and not for each row, and what has come is
-- weighed by bucket.
with place as materialized (
    select r.lane, r.path = 'isolated' as isolated, r.path = min(r.path) over (partition by r.lane) as first, r.ip_pool,
           coalesce(m.at > $17::bigint, false) as moved
      from route r
      left join route_moved m on m.lane = r.lane and m.path = r.path
)
select k.*
  from (select coalesce(c.pool, '') as key, c.pool, bool_or(c.moved) as moved, {added_up}, {exposures}
          from (select p.ip_pool as pool, c.at, bool_or(p.moved) as moved, {added_up}
                  from ({cells}) c
                  left join place p on p.lane = c.lane and {same_path}
                 where $11::text = 'pool'
                   and ($14::smallint is null and $15::smallint is null
                        or c.lane in (select l.id from lane l
                                       where ($14::smallint is null or l.type = $14) and ($15::smallint is null or l.class = $15)))
                 group by 1, 2) c
          join unnest($2::int[], $3::float4[], $4::float4[], $5::float4[], $6::float4[]) b (minute, bounces, complaints, blocks, delays)
            on b.minute = c.at
         group by 1, 2) k
 where ($12::text is null or k.key > $12 collate "C") and ($16::text[] is null or k.key = any ($16))
 order by k.key collate "C"
 limit $13;

-- name: ranked
-- The $12 keys with the highest rank among lanes of the class $11. Rates rank by how strongly they speak for being above the rate of
-- healthy mail, so that one bounce of two mails is not the worst, and neither is the largest lane.
select {named} as key, k.rank
  from (select {key} as key, {rank} as rank, {happened} as happened
          from ({cells}) c{place}
         where $11::smallint is null or c.lane in (select l.id from lane l where l.class = $11)
         group by 1) k
 where k.happened > 0
 order by k.rank desc, k.key
 limit $12;

-- name: moved
-- The $12 keys that add most to the change of the whole rate, the way it went: what each has beyond the whole rate of before. The
-- window begins at $13; what is before it is the time before. The shares of all keys add up to the change.
with part as materialized (
    select {key} as key,
           coalesce(sum({events}) filter (where c.at >= $13::int), 0)::float8 as events,
           coalesce(sum({exposure}) filter (where c.at >= $13::int), 0)::float8 as mail,
           coalesce(sum({events}) filter (where c.at < $13::int), 0)::float8 as events_before,
           coalesce(sum({exposure}) filter (where c.at < $13::int), 0)::float8 as mail_before
      from ({cells}) c{place}
     where $11::smallint is null or c.lane in (select l.id from lane l where l.class = $11)
     group by 1
), whole as (
    select nullif(sum(mail), 0) as mail, nullif(sum(mail_before), 0) as mail_before,
           coalesce(sum(events_before) / nullif(sum(mail_before), 0), 0) as rate_before
      from part
), shares as (
    select p.key, coalesce((p.events - w.rate_before * p.mail) / w.mail, 0)
                  - coalesce((p.events_before - w.rate_before * p.mail_before) / w.mail_before, 0) as share
      from part p cross join whole w
)
select {named} as key, k.share
  from shares k cross join (select case when sum(share) < 0 then -1 else 1 end as way from shares) w
 where k.share * w.way >= {least_share}
 order by abs(k.share) desc, k.key
 limit $12;

-- name: place
-- The domain of each lane and path.
  left join route r on r.lane = c.lane
       and r.path = case when c.isolated is null then (select min(o.path) from route o where o.lane = c.lane)
                         when c.isolated then 'isolated' else 'shared' end;

-- name: lanes_of
-- A tenant's lanes, retired ones included.
select l.id from lane l join message_type y on y.id = l.type
 where l.tenant = $1 and ($2::text is null or y.name = $2) and ($3::smallint is null or l.class = $3)
 order by l.id;

-- name: lanes_of_tenants
-- The lanes of the tenants with these slugs, retired ones included.
select l.id from tenant e join lane l on l.tenant = e.id join message_type y on y.id = l.type
 where e.slug = any ($1::text[]) and ($2::text is null or y.name = $2) and ($3::smallint is null or l.class = $3)
 order by l.id;

-- name: page_of_lanes
-- The lanes of the next $4 lanes, tenants or domains ($1) after a key ($2), of a type ($3) and class ($5): whose counts a page is of.
-- Those that sent nothing are among them, so a page may have fewer lines.
select k.key, array_agg(k.lane) as lanes
  from (select l.id as lane, case $1::text when 'domain' then coalesce(r.domain, '')
                                  else lpad((case $1::text when 'lane' then l.id else l.tenant end)::text, 10, '0') end as key
          from lane l
          left join route r on $1::text = 'domain' and r.lane = l.id
         where ($3::smallint is null or l.type = $3) and ($5::smallint is null or l.class = $5)) k
 where $2::text is null or k.key > $2 collate "C"
 group by k.key
 order by k.key collate "C"
 limit $4;

-- name: lanes_of_keys
-- The lanes of some lanes, tenants or domains ($1), by their keys.
select l.id
  from lane l
  left join route r on $1::text = 'domain' and r.lane = l.id
 where case $1::text when 'domain' then r.domain = any ($2::text[])
                     when 'lane' then l.id = any (array(select k::int from unnest($2::text[]) k where $1::text = 'lane'))
                     else l.tenant = any (array(select k::int from unnest($2::text[]) k where $1::text = 'tenant')) end;

-- name: slices_named
-- What any lane sent under in a window with a campaign ($1: of any name) or list ($2), as `slices_of`.
select s.id, max(c.last_minute) as last
  from slice s
  join cohort_slice c on c.slice = s.id
 where case $1::text when '' then s.campaign is not null else $1::text is null or s.campaign = $1 end
   and case $2::text when '' then s.list is not null else $2::text is null or s.list = $2 end
   and (s.campaign is not null or s.list is not null)
 group by s.id
having max(c.last_minute) >= $3 and min(c.first_minute) < $4
 order by 2 desc, 1
 limit $5;

-- name: slices_of
-- What these lanes sent under in a window, with the last minute of each. The newest, if there are more than $6.
select s.id, max(c.last_minute) as last
  from slice s
  join cohort_slice c on c.slice = s.id
 where s.lane = any ($1::int[]) and ($2::text is null or s.campaign = $2) and ($3::text is null or s.list = $3)
 group by s.id
having max(c.last_minute) >= $4 and min(c.first_minute) < $5
 order by 2 desc, 1
 limit $6;

-- name: places
-- Where lanes belong.
select l.id, l.tenant, y.name as type, l.class from lane l join message_type y on y.id = l.type where l.id = any ($1::int[]);

-- name: type_id
-- A message type by its name, retired ones included.
select id from message_type where name = $1;

-- name: as_tenant
-- The tenant whose totals `own_lane_total` shows: for a platform key, which no row-level security limits.
select set_config('mailcordon.tenant', $1, true);

-- name: flows
-- What became of the mail of a tenant's lanes since the totals were as the window begins. One snapshot: the counts add up.
select l.id as key, n.slug, y.name as type, l.class, nullif(b.at, 0) as since,
       coalesce(b.queued, 0) as queued_before, t.accepted - coalesce(b.accepted, 0) as accepted, t.sent - coalesce(b.sent, 0) as sent,
       t.refused - coalesce(b.refused, 0) as refused, t.expired - coalesce(b.expired, 0) as expired,
       t.cancelled - coalesce(b.cancelled, 0) as cancelled, t.given_up - coalesce(b.given_up, 0) as given_up,
       t.rejected - coalesce(b.rejected, 0) as rejected, t.no_outcome - coalesce(b.no_outcome, 0) as no_outcome, t.queued
  from own_lane_total t
  join lane l on l.id = t.lane
  join message_type y on y.id = l.type
  join tenant n on n.id = l.tenant
  left join lateral (select * from lane_count c where c.lane = t.lane and c.at <= now_ms() - $1::bigint * 60000
                      order by c.at desc limit 1) b on true
 where ($2::text is null or y.name = $2) and l.id > $3::int
   and (t.accepted > coalesce(b.accepted, 0) or t.queued > 0
        or t.accepted - t.queued > coalesce(b.accepted - b.queued, 0))
 order by l.id
 limit $4;

-- name: holds_in_window
-- The newest holds that stopped mail of these lanes in the window.
select h.* from hold h
 where h.tenant = $1 and h.stops and (h.lifted_at is null or h.lifted_at > now_ms() - $3::bigint * 60000)
   and exists (select from lane l join message_type y on y.id = l.type
                where l.tenant = $1 and ($2::text is null or y.name = $2) and hold_covers(h, l.tenant, l.class, l.id))
 order by h.id desc limit 20;

-- name: stops_in_window
-- The newest stops that kept mail of these lanes in the window, as of the routes of now. Of a dispatcher's own: those of times in
-- which no dispatcher could call SES.
select s.* from stop s
 where s.id in (select o.id from lane l join message_type y on y.id = l.type
                 cross join lateral stops_on(l.id, now_ms() - $3::bigint * 60000) o
                 where l.tenant = $1 and ($2::text is null or y.name = $2))
    or s.scope = 'worker' and s.ended_at > now_ms() - $3::bigint * 60000
       and (select no_way_out(now_ms() - $3::bigint * 60000)) && stop_time(s)
 order by s.id desc limit 20;
