-- Housekeeping of the control role, in bounded steps.

-- name: write_account
-- The rate in use follows a new ceiling; below the ceiling, dispatchers raise and cut it. Only they write the tokens and their
-- time. Calls that were granted before the poll before this one are in SES's count by now. It is no news that SES says the same as before.
with b as (select ceiling, max_24h, sent_24h, sending_enabled, enforcement from account_rate where cell = $1)
insert into account_rate (cell, ceiling, rate, tokens, at, max_24h, sent_24h, sending_enabled, enforcement, polled_at)
values ($1, $2, $2, 0, now_ms(), $3, $4, $5, $6, now_ms())
on conflict (cell) do update
set rate = case when account_rate.rate >= account_rate.ceiling then excluded.ceiling
                else least(account_rate.rate, excluded.ceiling) end,
    ceiling = excluded.ceiling, max_24h = excluded.max_24h, sent_24h = excluded.sent_24h,
    sending_enabled = excluded.sending_enabled, enforcement = excluded.enforcement, polled_at = excluded.polled_at,
    taken = greatest(0, account_rate.taken - account_rate.taken_before),
    taken_before = greatest(0, account_rate.taken - account_rate.taken_before)
returning case when exists (select from b where (b.ceiling, b.max_24h, b.sent_24h, b.sending_enabled, b.enforcement)
                                                is not distinct from ($2, $3, $4, $5, $6)) then nextval('quiet_write') end;

-- name: tenants_by_key
-- Our tenants by the names of their SES tenants: one, or one of each class.
select name as key, tenant as id from ses_resource where kind = 'tenant' and name = any($1) and tenant is not null;

-- name: retention_facts
-- What a plan of partitions needs: the day by the database's clock, and the longest time that any mail may have to wait.
select (to_timestamp(now_ms() / 1000.0) at time zone 'UTC')::date as today,
       (select coalesce(max(expiry_ms), 0) from lane) as longest_expiry_ms;

-- name: partitions
-- Partitions are named by their table and day.
select p.relname as parent, to_date(right(c.relname, 8), 'YYYYMMDD') as day
from pg_inherits i
join pg_class c on c.oid = i.inhrelid
join pg_class p on p.oid = i.inhparent
where p.relkind = 'p' and c.relkind = 'r' and p.relnamespace = current_schema()::regnamespace
  and c.relname ~ ('^' || p.relname || '_p[0-9]{8}$');

-- name: days_in_default
-- The days of rows that had no partition.
select parent, day from days_in_default();

-- name: make_partition
-- Creates one partition and moves its rows out of the default partition.
select make_partition($1, $2);

-- name: drop_day
-- Drops one day of one table, unless a queue still holds a delivery of it.
select drop_day($1, $2);

-- name: allow_long_statement
-- Moving a day's rows into a new partition may take longer than other statements. PostgreSQL 17 and later limit transactions too,
-- and a limit that runs can be switched off, but not extended.
select set_config('statement_timeout', '10min', true),
       (select set_config(name, '0', true) from pg_settings where name = 'transaction_timeout');

-- name: purge_idempotency
-- From the left end of the index on; $1 is where the last batch ended, since entries just deleted would be read again.
with gone as (
    delete from idempotency
    where ctid = any(array(
        select ctid from idempotency
        where message > $1 and message < first_id_at(now_ms() - $2::bigint)
        order by message limit $3
    ))
    returning message
)
select max(message) from gone;

-- name: purge_urgent_bodies
-- Urgent bodies end with their last delivery; this deletes those whose process died in between. What a queue needs stays. $1 is
-- where the last batch ended.
with seen as materialized (
    select id from urgent_content where id > $1 and id < first_id_at(now_ms() - $2::bigint) order by id limit $3
), gone as (
    delete from urgent_content c using seen s
    where c.id = s.id
      and not exists (
          select from message m
          where m.id = s.id
            and (exists (select from ready r where r.lane = m.lane and r.id > m.id and r.id < m.id + 64)
                 or exists (select from waiting w where w.lane = m.lane and w.id > m.id and w.id < m.id + 64))
      )
)
select max(id) from seen;

-- name: purge_day_counts
-- Counts of whole days, from the left end of the key on.
delete from cohort_day where ctid = any(array(
    select ctid from cohort_day where day < (now_ms() - $1::bigint) / 86400000 order by day limit $2
));

-- name: purge_lane_sums
-- Sums by lane: tens for two days, hours and quarters of days for two weeks, larger buckets as long as counts by day.
delete from cohort_lane c
 using (values (10, 2880), (60, 20160), (360, 20160), (1440, ($1::bigint / 60000)::int), (10080, ($1::bigint / 60000)::int),
               (40320, ($1::bigint / 60000)::int + 40320)) k (span, kept)
 cross join lateral (select x.minute, x.lane, x.isolated from cohort_lane x
                      where x.span = k.span and x.minute < now_ms() / 60000 - k.kept order by x.minute limit $2) o
 where c.span = k.span and c.minute = o.minute and c.lane = o.lane and c.isolated = o.isolated;

-- name: purge_fleet_sums
-- Sums of the fleet: minutes for two days, hours for 90, days as long as counts by day.
delete from cohort_fleet c
 using (values (1, 2880), (60, 129600), (1440, ($1::bigint / 60000)::int)) k (span, kept)
 cross join lateral (select x.minute, x.type, x.provider from cohort_fleet x
                      where x.span = k.span and x.minute < now_ms() / 60000 - k.kept order by x.minute limit $2) o
 where c.span = k.span and c.minute = o.minute and c.type = o.type and c.provider = o.provider;

-- name: purge_incidents
-- Incidents that closed, with their alarms and timelines.
delete from incident where id = any(array(
    select id from incident where closed_at < now_ms() - $1::bigint order by closed_at limit $2
));

-- name: purge_feedback_losses
-- Losses that ended, kept as long as the counts that they make unreliable.
delete from feedback_loss where id = any(array(
    select id from feedback_loss where ended_at < now_ms() - $1::bigint order by ended_at limit $2
));

-- name: purge_slices
-- Campaigns and lists without mail for so many minutes. Returns how many.
select purge_slices($1, $2, $3);

-- name: purge_bounce_domains
-- Kept as long as counts by minute.
delete from cohort_bounce_domain where ctid = any(array(
    select ctid from cohort_bounce_domain where minute < (now_ms() - $1::bigint) / 60000 order by minute limit $2
));

-- name: purge_feed
-- What folds changed, from the oldest on.
delete from cohort_feed where ctid = any(array(
    select ctid from (select ctid, at from cohort_feed order by fold limit $2) f where f.at < now_ms() - $1::bigint
));

-- name: purge_quarantine
-- By the last copy: a document that still arrives stays. Each kind has an age of its own, and none is older than the records. What
-- a replay settled goes after a day, unless another copy came after it. The kinds are locked first, as observers do, and are given
-- back what is deleted.
with locked as materialized (
    select why from quarantine_kind where why <> 'notice' order by why for update
), gone as (
    delete from quarantine where (select count(*) from locked) >= 0 and id = any(array(
        (select q.id from quarantine q left join quarantine_kind k on k.why = q.why
          where q.last_received_at < to_timestamp((now_ms() - least($1::bigint, coalesce(k.keep_days, 90) * 86400000::bigint)) / 1000.0)
          order by q.last_received_at limit $2)
        union
        (select q.id from quarantine q
          where q.resolved_at < to_timestamp((now_ms() - 86400000) / 1000.0) and q.last_received_at <= q.resolved_at
          order by q.resolved_at limit $2)
    ))
    returning why, bytes
)
update quarantine_kind k set entries = greatest(0, k.entries - g.entries), bytes = greatest(0, k.bytes - g.bytes)
  from (select why, count(*) as entries, sum(bytes) as bytes from gone group by why) g
 where k.why = g.why;

-- name: purge_notices
-- By the last copy, as in quarantine.
delete from ses_notice where digest = any(array(
    select digest from ses_notice where last_received_at < to_timestamp((now_ms() - $1::bigint) / 1000.0) order by last_received_at limit $2
));

-- name: purge_reports
-- Reports about addresses past the retention of the events that they came with.
delete from address_report where ctid = any(array(
    select ctid from address_report where at < now_ms() - $1::bigint order by at limit $2
));

-- name: purge_removals
-- A removal by a person stands against events from before it, which come within the retention of mail.
delete from suppression_removal where ctid = any(array(
    select ctid from suppression_removal where at < now_ms() - $1::bigint limit $2
));

-- name: purge_deleted_entries
-- Hits on them come within the retention of mail.
delete from ses_unlisting where ctid = any(array(
    select ctid from ses_unlisting where due_at is null and deleted_at < now_ms() - $1::bigint limit $2
));

-- name: purge_entries
-- What was read of SES's lists long ago, of addresses that nothing suppresses any more.
delete from ses_entry where ctid = any(array(
    select e.ctid from ses_entry e
     where e.wanted_since is null and e.read_at < now_ms() - $1::bigint
       and not exists (select from suppression s where s.tenant = e.tenant and s.hash = e.hash)
     limit $2
));

-- name: purge_elsewhere
-- Few rows: one for each day, kind and installation.
delete from elsewhere where ctid = any(array(
    select ctid from elsewhere where day < (to_timestamp((now_ms() - $1::bigint) / 1000.0) at time zone 'UTC')::date limit $2
));

-- name: purge_unmapped
-- Some thousand rows a day at most.
delete from observed_unmapped where ctid = any(array(
    select ctid from observed_unmapped where day < (to_timestamp((now_ms() - $1::bigint) / 1000.0) at time zone 'UTC')::date limit $2
));

-- name: purge_stops
-- Stops that ended, once no delivery's timeline can name them.
delete from stop where id = any(array(
    select id from stop where ended_at < now_ms() - $1::bigint order by ended_at limit $2
));

-- name: purge_routes
-- Routes that lanes had before, which only an unknown outcome still asks for.
delete from route_before where ctid = any(array(
    select ctid from route_before b
    where b.until < now_ms() - $1::bigint and not exists (select from waiting w where w.lane = b.lane and w.why = 2)
    limit $2
));

-- name: purge_workers
-- Dispatchers that ended, once their counts are folded and no delivery's timeline asks whether they lived.
delete from worker where id = any(array(
    select id from worker w
    where w.ended_at < now_ms() - $1::bigint and not exists (select from lane_finished f where f.node = -w.id)
    limit $2
));

-- name: purge_calls_of_plans
-- Calls of plans that ended long ago. One that waits for a person, or whose calls are being made, has not ended. The plan of a
-- finding stays as long as the finding.
delete from plan_change where ctid = any(array(
    select c.ctid from plan p join plan_change c on c.plan = p.id
    where p.ended_at < to_timestamp((now_ms() - $1::bigint) / 1000.0) and not exists (select from finding f where f.plan = p.id)
    limit $2
));

-- name: purge_plans
-- Plans whose calls are gone.
delete from plan where id = any(array(
    select p.id from plan p
    where p.ended_at < to_timestamp((now_ms() - $1::bigint) / 1000.0) and not exists (select from finding f where f.plan = p.id)
      and not exists (select from plan_change c where c.plan = p.id)
    order by p.ended_at limit $2
));

-- name: purge_policies
-- Plans of the policy that were decided on long ago, and versions that another one followed long ago. The one in force and those that
-- lanes still have stay.
delete from policy_version where id = any(array(
    select p.id from policy_version p
    where p.state <> 'proposed' and p.decided_at < now_ms() - $1::bigint
      and (p.version is null
           or exists (select from policy_version n where n.version > p.version and n.decided_at < now_ms() - $1::bigint)
              and not exists (select from lane_policy l where l.version = p.version))
    order by p.decided_at limit $2
));

-- name: intake_nodes
-- Numbers under which accepting processes count.
select distinct node from lane_intake where node <> 0 order by node;

-- name: fold_intake
-- Adds the row of a number that no process has to the row 0. One statement: a reader sees the sum before or after.
with gone as (
    delete from lane_intake where node = $1 returning lane, deliveries, bytes, refused
)
insert into lane_intake as i (lane, node, deliveries, bytes, refused)
select lane, 0, deliveries, bytes, refused from gone order by lane
on conflict (lane, node) do update
set deliveries = i.deliveries + excluded.deliveries, bytes = i.bytes + excluded.bytes, refused = i.refused + excluded.refused;

-- name: fold_finished
-- As fold_intake, for dispatchers that ended. One that was declared dead and still records a result gets a new row, which is
-- folded later.
with gone as (
    delete from lane_finished f
    where f.node < 0 and not exists (select from worker w where w.id = -f.node and w.ended_at is null)
    returning lane, deliveries, bytes, refused, expired, cancelled, given_up, rejected, no_outcome
)
insert into lane_finished as z (lane, node, deliveries, bytes, refused, expired, cancelled, given_up, rejected, no_outcome)
select lane, 0, sum(deliveries), sum(bytes), sum(refused), sum(expired), sum(cancelled), sum(given_up), sum(rejected), sum(no_outcome)
  from gone group by lane order by lane
on conflict (lane, node) do update
set deliveries = z.deliveries + excluded.deliveries, bytes = z.bytes + excluded.bytes, refused = z.refused + excluded.refused,
    expired = z.expired + excluded.expired, cancelled = z.cancelled + excluded.cancelled, given_up = z.given_up + excluded.given_up,
    rejected = z.rejected + excluded.rejected, no_outcome = z.no_outcome + excluded.no_outcome;

-- name: count_lanes
-- The totals of the lanes in which something happened since they were last stored.
insert into lane_count (lane, at, tenant, accepted, sent, refused, expired, cancelled, given_up, rejected, no_outcome)
select t.lane, now_ms(), t.tenant, t.accepted, t.sent, t.refused, t.expired, t.cancelled, t.given_up, t.rejected, t.no_outcome
  from lane_total t
  left join lateral (select c.accepted, c.queued from lane_count c where c.lane = t.lane order by c.at desc limit 1) last on true
 where (t.accepted, t.queued) <> (coalesce(last.accepted, 0), coalesce(last.queued, 0))
 order by t.lane;

-- name: thin_counts
-- One row an hour is enough after two hours, one a day after a week, and after the retention only the last one, from which later
-- windows begin.
delete from lane_count x
 using (select c.lane, c.at, case when c.at > n.now - 7200000 then null when c.at > n.now - 604800000 then 3600000
                                  when c.at > n.now - $1::bigint then 86400000 else n.now - $1::bigint end::bigint as width
          from lane_count c cross join (select now_ms() as now) n) c
 where x.lane = c.lane and x.at = c.at
   and exists (select from lane_count d where d.lane = c.lane and d.at > c.at and d.at / c.width = c.at / c.width);

-- name: purge_sessions
-- Sessions of people that ended, by whatever cause: nothing lasts longer than its end. The audit trail keeps who was here.
delete from person_session where id = any(array(
    select id from person_session where expires_at < to_timestamp((now_ms() - $1::bigint) / 1000.0) order by expires_at limit $2
));

-- name: purge_sign_in_links
-- One-time links whose end is over, used or not.
delete from sign_in_link where id = any(array(
    select id from sign_in_link where expires_at < to_timestamp((now_ms() - $1::bigint) / 1000.0) order by expires_at limit $2
));

-- name: purge_view_links
-- Links of tenants whose end is over.
delete from view_link where id = any(array(
    select id from view_link where expires_at < to_timestamp((now_ms() - $1::bigint) / 1000.0) order by expires_at limit $2
));

-- name: purge_pending_sign_ins
-- Browsers that went to the OpenID provider and did not come back.
delete from pending_sign_in where state = any(array(
    select state from pending_sign_in where expires_at < to_timestamp((now_ms() - $1::bigint) / 1000.0) order by expires_at limit $2
));
