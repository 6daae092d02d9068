-- The state of the installation as numbers, read when control's metrics are asked for, at most every few seconds. Each result is
-- bounded: lanes beyond the first so many are added up.

-- name: queued
-- Deliveries that were accepted and have not ended: of the $1 lanes with the most, and of the others by class.
with lanes as (
    select u.lane, sum(u.n) as deliveries
      from (select lane, deliveries as n from lane_intake union all select lane, -deliveries from lane_finished) u
     group by u.lane having sum(u.n) > 0
), placed as (
    select x.lane, x.deliveries, row_number() over (order by x.deliveries desc, x.lane) <= $1::int as named from lanes x
)
select case when x.named then e.slug else 'other' end as tenant, case when x.named then t.name else 'other' end as type,
       l.class, sum(x.deliveries)::bigint as deliveries
  from placed x join lane l on l.id = x.lane join tenant e on e.id = l.tenant join message_type t on t.id = l.type
 group by 1, 2, 3 order by 4 desc, 1, 2;

-- name: waiting
-- What waits for a retry, an unknown outcome or the end of a narrow hold, counted up to $2 each.
select w.why, (select count(*) from (select from waiting x where x.why = w.why limit $2) x) as count from unnest($1::smallint[]) w (why);

-- name: open_holds
-- Open holds by who placed them.
select owner, stops, count(*) as count from hold where lifted_at is null group by owner, stops order by owner, stops;

-- name: open_incidents
-- Open incidents by kind and severity.
select kind, severity, count(*) as count, min(since) as since from incident where closed_at is null
 group by kind, severity order by kind, severity;

-- name: incident_times
-- Of incidents that were opened since $1: median and 95th percentile of the time to identify and to mitigate, in milliseconds.
select kind,
       percentile_cont(array[0.5, 0.95]) within group (order by greatest(0, identified_at - since)) filter (where identified_at is not null) as identify,
       percentile_cont(array[0.5, 0.95]) within group (order by greatest(0, mitigated_at - since)) filter (where mitigated_at is not null) as mitigate
  from incident where opened_at >= $1 group by kind order by kind;

-- name: last_hour
-- What was handed to SES in hour $2 and what is known of it: of the $1 lanes with the most mail, and of all others.
with lanes as (
    select s.lane, sum(c.sent) as sent, sum(c.delivered) as delivered, sum(c.hard_bounced) as hard_bounced,
           sum(c.soft_bounced) as soft_bounced, sum(c.complained) as complained
      from (select slice, sum(sent) as sent, sum(delivered) as delivered, sum(hard_bounced) as hard_bounced,
                   sum(soft_bounced) as soft_bounced, sum(complained) as complained
              from cohort_hour where hour = $2::int group by slice) c
      join slice s on s.id = c.slice group by s.lane
), placed as (
    select x.*, row_number() over (order by x.sent desc nulls last, x.lane) <= $1::int as named from lanes x
)
select case when x.named then e.slug else 'other' end as tenant, case when x.named then t.name else 'other' end as type,
       coalesce(sum(x.sent), 0)::bigint as sent, coalesce(sum(x.delivered), 0)::bigint as delivered,
       coalesce(sum(x.hard_bounced), 0)::bigint as hard_bounced, coalesce(sum(x.soft_bounced), 0)::bigint as soft_bounced,
       coalesce(sum(x.complained), 0)::bigint as complained
  from placed x join lane l on l.id = x.lane join tenant e on e.id = l.tenant join message_type t on t.id = l.type
 group by 1, 2 order by 3 desc, 1, 2;

-- name: webhooks
-- What waits for the $1 webhooks with the most, and for all others, counted up to $2 each.
with waits as (
    select e.id, e.name, w.waiting, w.oldest
      from webhook_endpoint e
     cross join lateral (
           select count(*) as waiting, min(made_at) as oldest from (
               select made_at from webhook_message where endpoint = e.id and due_at is not null order by due_at limit $2) m) w
     where e.removed_at is null
), placed as (
    select x.*, row_number() over (order by x.waiting desc, x.id) <= $1::int as named from waits x
)
select case when named then name else 'other' end as name, sum(waiting)::bigint as waiting, min(oldest) as oldest
  from placed group by 1 order by 2 desc, 1;
