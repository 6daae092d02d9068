-- Where releases stand (docs/pacing.md). As the control role.

-- name: due
-- Releases that are not over. Those for which nothing waits are looked at once a minute. `warned`: an alarm, or a decision of the
-- breaker, is open about bounces, complaints or blocks of the batch, or of its whole lane. What the breaker decides by the lane's past
-- counts where it is armed. The rate is what the lane may send, mails a second.
select r.*, now_ms() as now, l.class, (select p.document::text from lane_policy p where p.lane = r.lane) as document,
       coalesce((select sum(i.deliveries) from release_intake i where i.release = r.id), 0)::bigint as size,
       coalesce((select max(i.last_at) from release_intake i where i.release = r.id), r.began_at) as last_accepted,
       least(l.rate, (select max(a.ceiling) from account_rate a)) as rate,
       exists (select from rate_alarm a
                where a.lane = r.lane and (a.part = '' or a.part = r.kind and a.value = r.name))
           or exists (select from breaker_decision d
                       where d.lane = r.lane and d.ended_at is null and d.accepted_at is null
                         and d.signal in ('bounces', 'complaints', 'blocks') and (d.part = '' or d.part = r.kind || ':' || r.name)
                         and (d.half = 'absolute' and d.mode <> 'observe' or d.mode = 'enforce')) as warned
  from release r join lane l on l.id = r.lane
 where r.ended_at is null and (r.phase <> 'open' or r.looked_at <= now_ms() - 60000 or r.looked_at > now_ms())
 order by r.looked_at, r.id limit $1;

-- name: minutes
-- What was counted of these releases since they began: by minute in the last six hours, by hour before. $1 to $5: ids, lanes, kinds,
-- names, the minutes (since 1970) in which they began.
with u as materialized (
    select u.*, greatest(u.began, (now_ms() / 60000)::int / 60 * 60 - 360) as recent
      from unnest($1::int[], $2::int[], $3::text[], $4::text[], $5::int[]) u (id, lane, kind, name, began)
), s as materialized (
    select u.id as release, u.began, u.recent, s.id as slice, c.first_minute, c.last_minute
      from u
     cross join lateral (select x.id from slice x
                          where x.lane = u.lane and (u.kind = 'lane' or u.kind = 'campaign' and x.campaign = u.name
                                                     or u.kind = 'list' and x.list = u.name)) s
     cross join lateral (select min(x.first_minute) as first_minute, max(x.last_minute) as last_minute
                           from cohort_slice x where x.slice = s.id) c
     where c.last_minute >= u.began
), c as (
    select s.release, h.hour * 60 as minute, h.provider, h.sent, h.delivered, h.hard_bounced, h.soft_bounced, h.complained, h.delayed,
           h.rejected, h.suppressed_at_ses
      from s
     cross join lateral generate_series(greatest(s.began, s.first_minute) / 60, least(s.recent - 1, s.last_minute) / 60) n (hour)
     cross join lateral (select x.* from cohort_hour x where x.hour = n.hour and x.slice = s.slice) h
     where s.recent > s.began and n.hour * 60 < s.recent
    union all
    select s.release, m.minute, m.provider, m.sent, m.delivered, m.hard_bounced, m.soft_bounced, m.complained, m.delayed, m.rejected,
           m.suppressed_at_ses
      from s
     cross join lateral generate_series(greatest(s.recent, s.first_minute), s.last_minute) n (minute)
     cross join lateral (select x.* from cohort_minute x where x.minute = n.minute and x.slice = s.slice) m
)
select c.release, c.minute, coalesce(sum(c.sent), 0)::int as sent,
       coalesce(sum(least(c.sent, coalesce(c.delivered, 0) + coalesce(c.hard_bounced, 0) + coalesce(c.soft_bounced, 0) + coalesce(c.delayed, 0)
                                  + coalesce(c.rejected, 0) + coalesce(c.suppressed_at_ses, 0))), 0)::int as heard,
       coalesce(sum(c.hard_bounced), 0)::int as bounces,
       coalesce(sum(c.complained) filter (where q.provider is null), 0)::int as complaints,
       coalesce(sum(c.sent) filter (where q.provider is null), 0)::int as reporting
  from c left join complaint_silence q on q.provider = c.provider and q.from_minute <= c.minute
 group by c.release, c.minute order by c.release, c.minute;

-- name: busy_days
-- Of each lane the 90th percentile of its last 28 days with mail, today left out.
select l.lane, percentile_cont(0.9) within group (order by d.sent) as mails
  from unnest($1::int[]) l (lane)
 cross join lateral (
       select sum(coalesce(c.sent, 0))::float8 as sent
         from generate_series(now_ms() / 86400000 * 1440 - 90 * 1440, now_ms() / 86400000 * 1440 - 1440, 1440) m (minute)
        cross join (values (true), (false)) i (isolated)
        cross join lateral (select x.sent from cohort_lane x
                             where x.span = 1440 and x.minute = m.minute and x.lane = l.lane and x.isolated = i.isolated limit 1) c
        group by m.minute having sum(coalesce(c.sent, 0)) > 0 order by m.minute desc limit 28) d
 group by l.lane;

-- name: queued
-- Whether mail of a batch is in the queue. $1: lane, $2: campaign, $3: list; both null: any mail of the lane.
select exists (select from waiting w where w.lane = $1 and ($2::text is null or w.campaign = $2) and ($3::text is null or w.list = $3))
    or exists (select from ready r where r.lane = $1 and ($2::text is null or r.campaign = $2) and ($3::text is null or r.list = $3));

-- name: used
-- What was counted for the limits of a batch.
select coalesce(max(u.ever), 0) from limit_use u
 where u.tenant = $1 and u.scope = $2 and u.lane = $3 and u.campaign is not distinct from $4::text and u.list is not distinct from $5::text
   and u.class is null and u.api_key is null and u.provider is null and u.domain is null;

-- name: spent
-- The same without calls whose outcome is unknown. No row while a call of the batch may be on the wire, or its change not folded: for two
-- minutes after the last one.
select u.ever - (select count(*) from waiting w
                  where w.lane = $3 and w.why = 2 and ($4::text is null or w.campaign = $4) and ($5::text is null or w.list = $5))
  from limit_use u
 where u.tenant = $1 and u.scope = $2 and u.lane = $3 and u.campaign is not distinct from $4::text and u.list is not distinct from $5::text
   and u.class is null and u.api_key is null and u.provider is null and u.domain is null
   and (u.minute + 3) * 60000::bigint <= now_ms() and (select f.folded_at from cohort_fold f) >= (u.minute + 3) * 60000::bigint;

-- name: lock
-- Changes of a tenant's limits come one after the other.
insert into limit_version as v (tenant, value) values ($1, 1) on conflict (tenant) do update set value = v.value;

-- name: save
-- Where a release stands now, unless another process has looked at it meanwhile ($2).
update release
   set phase = $3, step = $4, cap = $5, opened_at = $6, base = $7, left_at = $8, why = $9, next_at = $10, limit_cap = $11, mode = $12,
       because = $13, use_before = $14, sent = $15, heard = $16, bounces = $17, usual_bounces = $18, complaints = $19,
       usual_complaints = $20, looked_at = now_ms(), ended_at = case when $3 = 'over' then now_ms() end
 where id = $1 and looked_at = $2 and ended_at is null returning id;

-- name: seen
-- The same where nothing changed but what came back.
update release
   set sent = $3, heard = $4, bounces = $5, usual_bounces = $6, complaints = $7, usual_complaints = $8, looked_at = now_ms()
 where id = $1 and looked_at = $2 and ended_at is null;

-- name: limits_of_lane
-- The limits that the releases of a lane have.
select kind, name, limit_cap, mode, because from release
 where tenant = $1 and lane = $2 and ended_at is null and limit_cap is not null order by kind, name;

-- name: tenant_of
-- Of a release.
select tenant from release where id = $1;

-- name: one
-- A release to be opened by a person, as in `due`.
select r.*, now_ms() as now, l.class, (select p.document::text from lane_policy p where p.lane = r.lane) as document,
       0::bigint as size, r.began_at as last_accepted, null::real as rate, false as warned
  from release r join lane l on l.id = r.lane where r.id = $1 for no key update of r;

-- name: opened_by
-- Who let all of a release leave.
update release set opened_by = $2, opened_because = $3 where id = $1;

-- name: purge
-- Releases that have been over for long. $1: milliseconds.
delete from release where ended_at < now_ms() - $1::bigint;
