-- Facts for `mailcordon status` and `doctor`: each statement belongs to one check, and is bounded whatever the tables hold.

-- name: beats
-- What processes last reported, silent ones of the last hour included.
select role, instance, host, pid, started, beat, facts from role_health order by role, beat desc, instance;

-- name: oldest_waiting
-- The longest wait in each class, apart from mail that a hold keeps. From the head of each lane that has mail (a skip scan: most of many
-- lanes have none), and from the retries that were due first; the time in a held lane does not count.
with recursive filled as (
    (select r.lane, r.id from ready r order by r.lane, r.id limit 1)
    union all
    select r.lane, r.id from filled f cross join lateral (
        select r.lane, r.id from ready r where r.lane > f.lane order by r.lane, r.id limit 1) r
), head as (
    select f.lane, greatest(ms_of(f.id), l.released_at) as since from filled f join lane l on l.id = f.lane and not l.held
), retry as (
    select w.lane, greatest(ms_of(w.id), l.released_at) as since
      from (select lane, id from waiting where why = 1 order by until limit 1000) w
      join lane l on l.id = w.lane and not l.held
)
select distinct on (l.class) l.class, e.slug as tenant, t.name as type, x.since
  from (select lane, since from head union all select lane, since from retry) x
  join lane l on l.id = x.lane join tenant e on e.id = l.tenant join message_type t on t.id = l.type
 order by l.class, x.since;

-- name: open_holds
-- Open holds: those that stop mail, then those that slow it, oldest first.
select h.*, e.slug, t.name as type_name
  from hold h join tenant e on e.id = h.tenant
  left join lane l on l.id = h.lane left join message_type t on t.id = l.type
 where h.lifted_at is null order by h.stops desc, h.id limit 100;

-- name: held_retirements
-- Lanes that are being retired and hold mail that a hold keeps: they end when it is lifted, or when the mail has expired.
select e.slug as tenant, t.name as type, (extract(epoch from l.retiring_at) * 1000)::bigint as since
  from lane l join tenant e on e.id = l.tenant join message_type t on t.id = l.type
 where l.retiring_at is not null and l.retired_at is null and l.held
   and (exists (select from ready r where r.lane = l.id) or exists (select from waiting w where w.lane = l.id))
 order by l.id limit 100;

-- name: named_stops
-- Every open stop with the names of its tenant and type, oldest first.
select s.*, e.slug, t.name as type_name
  from stop s left join tenant e on e.id = s.tenant
  left join lane l on l.id = s.lane left join message_type t on t.id = l.type
 where s.ended_at is null order by s.id limit 200;

-- name: accounts
-- GetAccount's last figures, one row a cell.
select cell, polled_at, max_24h, sent_24h + taken as sent_24h, sending_enabled and enforcement <> 'SHUTDOWN' as enabled from account_rate order by cell;

-- name: seen_call
-- The latest call whose Send event is stored, and before when all changes of counts are folded.
select (select max(called_at) from send_seen) as seen_call, (select folded_at from cohort_fold) as folded_at;

-- name: losses
-- Feedback that is lost or late now, the oldest first.
select f.id, f.signal, f.configuration_set, f.provider, f.since, f.until, f.raised_at, f.cause, f.because, f.late, f.missing, f.evidence,
       e.slug as tenant
  from feedback_loss f left join ses_resource s on s.kind = 'configuration-set' and s.name = f.configuration_set
  left join tenant e on e.id = s.tenant
 where f.ended_at is null order by f.id limit 200;

-- name: overdue
-- Unknown outcomes that should be settled by now, counted up to 1,000.
select count(*) as count, min(called_at) as oldest
  from (select w.called_at from waiting w join lane l on l.id = w.lane
         where w.why = 2 and w.called_at + l.grace_ms + $1::bigint < now_ms() limit 1000) x;

-- name: set_aside
-- Mail that SES refused with an error that we do not know, counted up to 1,000.
select count(*) from (select from waiting where why = 1 and code = 'set-aside' limit 1000) x;

-- name: failing
-- Resources that cannot be made as they should be at SES.
select r.kind, r.name, e.slug as tenant, r.error
  from ses_resource r left join tenant e on e.id = r.tenant
 where r.state = 'failing' order by r.phase, r.name limit 200;

-- name: plans_of_settings
-- Changed settings that wait for a person. There is at most one.
select p.id, (select count(*) from plan_change c where c.plan = p.id) as calls, (extract(epoch from p.made_at) * 1000)::bigint as since
  from plan p where p.state = 'proposed' and p.source = 'settings' order by p.id;

-- name: findings
-- What differs at SES and is high or critical, counted up to 200.
select f.id, f.kind, f.detail, f.plan, e.slug as tenant, (extract(epoch from f.since) * 1000)::bigint as since, f.severity,
       f.resource_kind, f.resource, f.by, exists (select from hold h where h.id = f.hold and h.lifted_at is null) as held
  from finding f left join tenant e on e.id = f.tenant
 where f.ended_at is null and f.severity in ('critical', 'high') order by f.severity, f.id limit 200;

-- name: lapsed_domains
-- Domains that lost records, the longest first, counted up to 200.
select i.domain, e.slug as tenant, s.evidence::text as evidence, s.lapsed_at as since,
       not exists (select from route r join lane l on l.id = r.lane
                    where r.domain = i.domain and not l.held and l.retired_at is null) as held
  from identity_state s join identity i on i.id = s.identity join tenant e on e.id = i.tenant
 where s.lapsed_at is not null and i.retired_at is null and i.freed_at is null order by s.lapsed_at, i.id limit 200;

-- name: unchecked_domains
-- Domains in use whose records were last read completely longer ago than this. The clock is read once, not for each domain.
select count(*) as count, min(i.domain) as domain
  from identity_state s join identity i on i.id = s.identity
 where i.retired_at is null and i.freed_at is null and coalesce(s.answered_at, s.scheduled_at) < (select now_ms()) - $1::bigint;

-- name: recipient_domains
-- Look-ups of recipients' domains: those that wait, and how those of so many last ms ended.
select (select count(*) from domain_wanted) as waiting, (select min(due_at) from domain_wanted) as waiting_since,
       count(*) filter (where p.failures > 0) as failed, count(*) filter (where p.failures = 0) as answered,
       max(p.detail) filter (where p.failures > 0) as detail
  from (select failures, detail from domain_provider where asked_at > now_ms() - $1::bigint order by asked_at desc limit 10000) p;

-- name: quarantine_kinds
-- What quarantine had no room for.
select why, entries, most_entries, bytes, most_bytes, not_kept, not_kept_at from quarantine_kind order by why;

-- name: unproved_lanes
-- Lanes whose last proof of attribution failed, and those whose route has changed since. Those that were never proved, and whose proof
-- is only old, are in `prove --list`.
select count(*) filter (where not p.proved) as failed,
       count(*) filter (where p.proved and p.parts is distinct from proof_parts(p.lane)) as changed,
       min(e.slug) filter (where not p.proved or p.parts is distinct from proof_parts(p.lane)) as tenant
  from (select distinct on (x.lane) x.lane, x.tenant, x.proved, x.parts from proof x where x.counts order by x.lane, x.id desc) p
  join lane l on l.id = p.lane and l.retiring_at is null and l.retired_at is null join tenant e on e.id = p.tenant;

-- name: open_incidents
-- The worst incidents that are open, and whether they have an alarm that another source than the status raised.
select x.id, x.kind, x.severity, e.slug as tenant, x.sentence, x.next, x.since, x.mitigated_at is not null as mitigated,
       exists (select from incident_alarm a where a.incident = x.id and a.ended_at is null and a.source <> 'status') as others,
       x.cause, x.scope, x.name, t.name as type, x.culprit
  from incident x left join tenant e on e.id = x.tenant left join lane l on l.id = x.lane left join message_type t on t.id = l.type
 where x.closed_at is null
 order by x.mitigated_at is not null, array_position(array['critical', 'high', 'medium', 'low'], x.severity), x.id desc limit 50;

-- name: observing
-- Whether the installation observes only, and the mail of today and yesterday that no rule names.
select coalesce(i.observe_only, false) as observe_only, u.events, u.origins, u.identity
  from installation i
 cross join lateral (
       select sum(events)::bigint as events, count(*) as origins, (array_agg(identity order by events desc))[1] as identity
         from observed_unmapped where i.observe_only and day >= (to_timestamp(now_ms() / 1000.0) at time zone 'UTC')::date - 1) u;

-- name: alert_channels
-- Without one, nobody is told of incidents. There are 50 at most.
select count(*) from alert_channel where removed_at is null;
