-- Rollouts: what they are decided by, and what was decided (docs/migration.md). As the control role.

-- name: due
-- Rollouts that are under way, those that were looked at longest ago first. $2: not before so many ms after the last look.
select r.*, e.slug, now_ms() as now,
       array(select l.lane from rollout_lane l where l.rollout = r.id and (l.open or r.ended_at is not null) order by l.lane) as lanes,
       array(select t.name from rollout_lane l join lane x on x.id = l.lane join message_type t on t.id = x.type
              where l.rollout = r.id and (l.open or r.ended_at is not null) order by l.lane) as types
  from rollout r join tenant e on e.id = r.tenant
 where r.ended_at is null and r.state in ('running', 'held', 'standing', 'finishing')
   and (r.looked_at <= now_ms() - $2::bigint or r.looked_at > now_ms())
 order by r.looked_at, r.id limit $1;

-- name: one
-- A rollout, as in `due`, whatever its state.
select r.*, e.slug, now_ms() as now,
       array(select l.lane from rollout_lane l where l.rollout = r.id and (l.open or r.ended_at is not null) order by l.lane) as lanes,
       array(select t.name from rollout_lane l join lane x on x.id = l.lane join message_type t on t.id = x.type
              where l.rollout = r.id and (l.open or r.ended_at is not null) order by l.lane) as types
  from rollout r join tenant e on e.id = r.tenant where r.id = $1;

-- name: slug
-- Of a tenant.
select slug from tenant where id = $1;

-- name: overrides
-- What persons let pass.
select key, share, by, because, at from rollout_override where rollout = $1 order by at, key;

-- name: freezes
-- Those of a tenant, and of all, that are not over.
select id, since, until, because from rollout_freeze where (tenant is null or tenant = $1) and until > now_ms() order by since, id;

-- name: counted
-- What was counted of these lanes since a minute ($2), by path, campaign, provider and hour: by minute in the hour in which the share
-- began and in the last hours, by hour between.
with h as materialized (
    select $2::int as began, least(($2::int + 59) / 60, (now_ms() / 60000)::int / 60 - 2) as first_hour,
           (now_ms() / 60000)::int / 60 - 2 as recent_hour
), s as materialized (
    select x.id as slice, x.lane, x.path, x.campaign, c.first_minute, c.last_minute
      from slice x
     cross join lateral (select min(y.first_minute) as first_minute, max(y.last_minute) as last_minute from cohort_slice y where y.slice = x.id) c
     where x.lane = any ($1::int[]) and c.last_minute >= $2
), c as (
    select s.lane, s.path, s.campaign, m.*
      from s cross join h
     cross join lateral (
           select generate_series(greatest(h.began, s.first_minute), least(h.first_hour * 60 - 1, s.last_minute))
           union
           select generate_series(greatest(h.recent_hour * 60, h.began, s.first_minute), s.last_minute)) n (minute)
     cross join lateral (
           select x.provider, x.minute as at, x.sent, x.send_events, x.delivered, x.hard_bounced, x.soft_bounced, x.complained, x.delayed,
                  x.rejected, x.suppressed_at_ses, x.opened, x.recipient_gone, x.sender_reputation, x.sender_auth, x.content, x.policy
             from cohort_minute x where x.minute = n.minute and x.slice = s.slice) m
    union all
    select s.lane, s.path, s.campaign, m.*
      from s cross join h
     cross join lateral generate_series(greatest(h.first_hour, s.first_minute / 60), least(h.recent_hour - 1, s.last_minute / 60)) n (hour)
     cross join lateral (
           select x.provider, x.hour * 60 as at, x.sent, x.send_events, x.delivered, x.hard_bounced, x.soft_bounced, x.complained, x.delayed,
                  x.rejected, x.suppressed_at_ses, x.opened, x.recipient_gone, x.sender_reputation, x.sender_auth, x.content, x.policy
             from cohort_hour x where x.hour = n.hour and x.slice = s.slice) m
)
select c.lane, c.path, c.campaign, c.provider, c.at / 60 as hour, min(c.at) as first, least(max(c.at), c.at / 60 * 60 + 59) as last,
       coalesce(sum(c.sent), 0)::int as sent, coalesce(sum(c.send_events), 0)::int as reported,
       coalesce(sum(c.sent) filter (where q.provider is null), 0)::int as heard,
       coalesce(sum(c.delivered), 0)::int as delivered,
       coalesce(sum(c.soft_bounced), 0)::int + coalesce(sum(c.rejected), 0)::int
           + greatest(0, coalesce(sum(c.hard_bounced), 0) - coalesce(sum(c.recipient_gone), 0))::int as undelivered,
       (coalesce(sum(c.sender_reputation), 0) + coalesce(sum(c.sender_auth), 0) + coalesce(sum(c.content), 0)
           + coalesce(sum(c.policy), 0))::int as refused,
       coalesce(sum(c.suppressed_at_ses), 0)::int as suppressed, coalesce(sum(c.hard_bounced), 0)::int as bounced,
       coalesce(sum(c.delayed), 0)::int as delayed,
       coalesce(sum(c.complained) filter (where q.provider is null), 0)::int as complained, coalesce(sum(c.opened), 0)::int as opened
  from c left join complaint_silence q on q.provider = c.provider and q.from_minute <= c.at
 group by c.lane, c.path, c.campaign, c.provider, c.at / 60;

-- name: late
-- Deliveries of lanes since a minute ($3), and those of the class of time $2 or a later one, by path, provider and day: by ten minutes in
-- the hour in which the share began, by hour in its day, by day since.
select c.lane, c.path, c.provider, c.minute / 1440 as day, min(c.minute) as first, max(c.minute) as last,
       sum(c.timed)::int as timed, sum(c.late)::int as late
  from unnest($1::int[], $2::int[]) u (lane, place)
 cross join (values (10, ($3::int + 9) / 10 * 10, ($3 + 59) / 60 * 60), (60, ($3 + 59) / 60 * 60, ($3 + 1439) / 1440 * 1440),
                    (1440, ($3 + 1439) / 1440 * 1440, null)) b (span, since, until)
 cross join lateral (
       select u.lane, p.path, p.provider, p.minute, (select sum(n) from unnest(p.counts) n) as timed,
              coalesce((select sum(n) from unnest(p.counts[u.place + 1:]) n), 0) as late
         from path_time p
        where p.lane = u.lane and p.span = b.span and p.minute >= b.since and (b.until is null or p.minute < b.until)) c
 group by c.lane, c.path, c.provider, c.minute / 1440;

-- name: daily
-- Mails a day of these lanes to each provider, on the average of the last seven whole days.
select d.lane, d.provider, sum(coalesce(d.sent, 0)) / 7.0::float8 as mails
  from cohort_day d
 where d.lane = any ($1::int[]) and d.day >= now_ms() / 86400000 - 7 and d.day < now_ms() / 86400000
 group by d.lane, d.provider having sum(coalesce(d.sent, 0)) > 0;

-- name: check_soon
-- Domains of their own paths whose last check is older than $2 ms are due now. One that is due within $3 ms is being checked.
update identity_state s set next_check_at = now_ms()
 where s.identity in (select r.identity from route r where r.lane = any ($1::int[]) and r.path = 'isolated')
   and s.checked_at <= now_ms() - $2::bigint and s.next_check_at > now_ms() + $3::bigint;

-- name: first_mail
-- The minute of the first mail that left on the lanes' own path.
select min(s.first_minute) from slice s where s.lane = any ($1::int[]) and s.path = 'isolated';

-- name: lanes
-- What the checklist is made of, lane by lane: the new route, the last check of its domain, what SES has of its set, the last proof,
-- the lane's policy, its tenant's open entries of the account's list, and who is told of its incidents.
select l.id as lane, l.class, t.name as type, e.slug, r.domain, r.ses_tenant, r.configuration_set, r.ip_pool, r.share,
       o.domain as old_domain, o.ses_tenant as old_ses_tenant, o.configuration_set as old_configuration_set, o.ip_pool as old_ip_pool,
       i.status as identity_status, s.lapsed_at, c.at as checked_at, c.complete, c.result::text as result,
       v.observed ->> 'status' as ses_status, v.observed ->> 'mail_from_status' as ses_mail_from_status,
       x.outcome_enabled, x.engagement_enabled, x.problem as destination_problem,
       p.id as proof, p.ended_at as proof_at, p.proved, p.because as proof_because, p.parts::text as proof_parts,
       proof_parts(l.id)::text as parts,
       (select y.document::text from lane_policy y where y.lane = l.id) as document,
       (select w.observed ->> 'suppression_scope' from ses_resource w where w.kind = 'tenant' and w.name = r.ses_tenant) as tenant_scope,
       exists (select from alert_channel a
                where (a.tenants = '{}' or l.tenant = any (a.tenants)) and a.failing_since is null) as alerted,
       exists (select from split) as split_begun,
       own_path_stopped(l.id) as stopped,
       case when exists (select from split where compared_at is not null) then 0  -- what comes later is a finding of its own
            else (select count(*) from (select from split_entry n where n.state = 'listed' limit 10000) n)::int end as split_unread,
       (select count(*) from split_entry n where n.tenant = l.tenant and n.state = 'owned')::int as split_moving
  from lane l join tenant e on e.id = l.tenant join message_type t on t.id = l.type
  join route r on r.lane = l.id and r.path = 'isolated'
  left join route o on o.lane = l.id and o.path = 'shared'
  left join identity i on i.id = r.identity
  left join identity_state s on s.identity = r.identity
  left join ses_resource v on v.kind = 'identity' and v.name = r.domain
  left join lateral (select * from identity_check k where k.identity = r.identity order by k.id desc limit 1) c on true
  left join lateral (select * from proof z where z.lane = l.id and z.counts order by z.id desc limit 1) p on true
 cross join lateral (
       select (select (d.observed ->> 'enabled')::boolean from ses_resource d
                where d.kind = 'event-destination' and d.name = r.configuration_set || '/outcome') as outcome_enabled,
              (select (d.observed ->> 'enabled')::boolean from ses_resource d
                where d.kind = 'event-destination' and d.name = r.configuration_set || '/engagement') as engagement_enabled,
              (select d.error from ses_resource d
                where d.kind = 'event-destination' and d.name in (r.configuration_set || '/outcome', r.configuration_set || '/engagement')
                  and d.state = 'failing' limit 1) as problem) x
 where l.id = any ($1::int[]) order by l.id;

-- name: warm_ups
-- What may leave today on these lanes' own domains, to each provider.
select w.domain, w.provider, w.cap, w.mode
  from warm_up w
 where exists (select from route r where r.lane = any ($1::int[]) and r.path = 'isolated' and r.tenant = w.tenant and r.domain = w.domain
                                     and coalesce(r.ip_pool, '') = w.pool)
   and w.cap is not null;

-- name: seen
-- What a look saw, for people.
update rollout
   set looked_at = now_ms(), verdict = $3, sentence = $4, gates = $5::jsonb, checklist = $6::jsonb, first_mail = coalesce(first_mail, $7)
 where id = $1 and version = $2 and ended_at is null returning id;

-- name: lock
-- Its version, state, share and tenant, for a change.
select version, state, share, tenant from rollout where id = $1 for no key update;

-- name: change
-- State and share change, and what was decided about the version before is void.
update rollout
   set version = version + 1, state = $2, share = $3, backs = $4, since = now_ms(), verdict = null, sentence = $5,
       gates = case when $3 = share then gates else '[]' end, looked_at = 0,
       ended_at = case when $2 in ('finished', 'cancelled') then now_ms() end
 where id = $1;

-- name: keep_plan
-- Whose application drops the old path.
update rollout set plan = $2 where id = $1 and state = 'finishing';

-- name: close_lanes
-- Its lanes may be in another rollout.
update rollout_lane set open = false where rollout = $1;

-- name: leave_retired
-- Lanes that were retired leave their rollout.
update rollout_lane l set open = false from lane x where x.id = l.lane and l.open and (x.retiring_at is not null or x.retired_at is not null)
returning l.rollout;

-- name: without_lanes
-- Rollouts that have no lane left.
select r.id from rollout r where r.ended_at is null and not exists (select from rollout_lane l where l.rollout = r.id and l.open)
 order by r.id limit $1;

-- name: step
-- What was decided.
insert into rollout_step (rollout, tenant, what, from_share, to_share, by, sentence, gates)
values ($1, $2, $3, $4, $5, $6, $7, $8::jsonb);

-- name: move_mail
-- Mail that waits follows the way back. What is being accepted meanwhile may come a little later, so it is looked for again.
update rollout_lane set move_after = 0, move_until = now_ms() + $2::bigint where rollout = $1;

-- name: stop_moving
-- A rollout that begins again leaves mail where it is.
update rollout_lane set move_after = null, move_until = null where rollout = $1;

-- name: moving
-- Lanes whose mail is being moved back.
select l.rollout, l.lane, l.move_after, l.move_until, now_ms() as now from rollout_lane l
 where l.move_after is not null order by l.rollout, l.lane limit $1;

-- name: moved
-- How far it is; null: at its end.
update rollout_lane set move_after = $3, move_until = case when $3::bigint is not null then move_until end
 where rollout = $1 and lane = $2 and move_after is not null;

-- name: add
-- A rollout that has not moved anything yet.
insert into rollout (tenant, state, shares, pace, began_by, because, reference) values ($1, 'running', $2, $3, $4, $5, $6::jsonb) returning id;

-- name: add_lane
-- A lane that it moves.
insert into rollout_lane (rollout, tenant, lane) values ($1, $2, $3);

-- name: busy_lanes
-- Which of these lanes are in a rollout already.
select l.lane, t.name as type, l.rollout from rollout_lane l join lane x on x.id = l.lane join message_type t on t.id = x.type
 where l.lane = any ($1::int[]) and l.open order by l.lane;

-- name: lanes_of
-- Lanes of a tenant that take mail, of these types, or all that have both paths. With the share of their own path; null: it has one path.
select l.id as lane, t.name as type,
       case when exists (select from route o where o.lane = l.id and o.path = 'shared') then r.share end as share
  from lane l join message_type t on t.id = l.type left join route r on r.lane = l.id and r.path = 'isolated'
 where l.tenant = $1 and l.retired_at is null and l.retiring_at is null and ($2::text[] is null or t.name = any ($2))
 order by l.id;

-- name: old_rates
-- What was counted of the old path in the last 14 days, by lane.
select coalesce(sum(c.sent), 0)::bigint as sent, coalesce(sum(c.delivered), 0)::bigint as delivered,
       coalesce(sum(c.send_events), 0)::bigint as reported,
       coalesce(sum(c.soft_bounced), 0)::bigint + coalesce(sum(c.rejected), 0)::bigint
           + greatest(0, coalesce(sum(c.hard_bounced), 0) - coalesce(sum(c.recipient_gone), 0))::bigint as undelivered,
       (coalesce(sum(c.sender_reputation), 0) + coalesce(sum(c.sender_auth), 0) + coalesce(sum(c.content), 0)
           + coalesce(sum(c.policy), 0))::bigint as refused,
       coalesce(sum(c.suppressed_at_ses), 0)::bigint as suppressed, coalesce(sum(c.hard_bounced), 0)::bigint as bounced,
       coalesce(sum(c.delayed), 0)::bigint as delayed, coalesce(sum(c.complained), 0)::bigint as complained,
       coalesce(sum(c.opened), 0)::bigint as opened
  from cohort_day c
 where c.lane = any ($1::int[]) and c.day >= now_ms() / 86400000 - 14 and c.day < now_ms() / 86400000;

-- name: old_late
-- Deliveries of these lanes in the last 14 days, and those of the class of time $2 or a later one.
select coalesce(sum((select sum(n) from unnest(d.counts) n)), 0)::bigint as timed,
       coalesce(sum((select sum(n) from unnest(d.counts[u.place + 1:]) n)), 0)::bigint as late
  from unnest($1::int[], $2::int[]) u (lane, place)
 cross join generate_series(now_ms() / 86400000 - 14, now_ms() / 86400000 - 1) y (day)
 cross join lateral (select x.counts from delivery_time x where x.span = 1440 and x.minute = y.day * 1440 and x.lane = u.lane) d;

-- name: override
-- A person lets something pass for one share.
insert into rollout_override (rollout, tenant, key, share, by, because) values ($1, $2, $3, $4, $5, $6)
on conflict (rollout, key, share) do update set by = excluded.by, because = excluded.because, at = now_ms();

-- name: add_freeze
-- Of one tenant, or of all.
insert into rollout_freeze (tenant, since, until, by, because) values ($1, $2, $3, $4, $5) returning id;

-- name: end_freeze
-- It ends now.
delete from rollout_freeze where id = $1 returning tenant, because;

-- name: two_paths_left
-- Whether a lane of the rollout still has both paths.
select exists (select from rollout_lane l join route o on o.lane = l.lane and o.path = 'shared' where l.rollout = $1 and l.open);

-- name: finishing
-- Rollouts whose old path is being dropped.
select r.id, r.version, r.tenant, r.share from rollout r where r.state = 'finishing' order by r.id limit $1;
