-- Incidents as people read them, and what people enter (docs/incidents.md).

-- name: incidents
-- The newest first, or one of them ($1). `$2`: only open ones, or only closed ones; `$4`: of a tenant, or that concern it.
select x.id, x.kind, x.cause, x.severity, x.scope, x.name, e.slug as tenant, t.name as type, x.culprit, x.sentence, x.next, x.command,
       x.since, x.opened_at, x.identified_at, x.mitigated_at, x.mitigated_by, x.reported_at, x.acknowledged_at, x.acknowledged_by,
       x.closed_at, x.closed_by, x.closed_because, x.part_of, x.alarms, x.evidence,
       array(select c.slug from tenant c where c.id = any (x.concerned) order by c.slug limit 100) as concerned,
       cardinality(x.concerned) as concerned_count
  from incident x left join tenant e on e.id = x.tenant left join lane l on l.id = x.lane left join message_type t on t.id = l.type
 where ($1::bigint is null or x.id = $1) and ($2::boolean is null or $2 = (x.closed_at is null)) and ($3::text is null or x.kind = $3)
   and ($4::int is null or x.tenant = $4 or x.concerned @> array[$4]) and ($5::text is null or x.severity = $5)
   and ($6::bigint is null or x.id < $6)
 order by x.id desc limit $7;

-- name: alarms
-- The alarms of an incident: those that still show first.
select a.key, a.kind, a.severity, e.slug as tenant, a.sentence, a.since, a.first_seen, a.ended_at, a.contained
  from incident_alarm a left join tenant e on e.id = a.tenant
 where a.incident = $1 order by a.ended_at nulls first, a.first_seen, a.key limit 200;

-- name: entries
-- Its timeline.
select at, what, author, text from incident_entry where incident = $1 order by at, id limit $2;

-- name: changes
-- What people changed about the mail of whose the incident is, while it lasted: records of the audit trail, the newest $2.
select (extract(epoch from a.at) * 1000)::bigint as at, a.action, a.actor as author, a.object, a.because
  from incident x join audit a on a.tenant = x.tenant
 where x.id = $1 and a.at >= to_timestamp(x.opened_at / 1000.0) and (x.closed_at is null or a.at <= to_timestamp(x.closed_at / 1000.0))
   and a.action = any ($3)
 order by a.id desc limit $2;

-- name: own_incidents
-- Those that concern the tenant that the transaction names, the newest first.
select * from own_incident
 where ($1::bigint is null or id = $1) and ($2::boolean is null or $2 = (closed_at is null)) and ($3::text is null or kind = $3)
   and ($4::text is null or severity = $4) and ($5::bigint is null or id < $5)
 order by id desc limit $6;

-- name: own_alarms
-- What was wrong of its own in one incident.
select kind, severity, sentence, since, first_seen, ended_at from own_incident_alarm
 where incident = $1 order by ended_at nulls first, first_seen limit 100;

-- name: own_actions
-- What was done about it.
select at, text from own_incident_action where incident = $1 order by at, id limit 100;

-- name: foreign_names
-- Which of these words name another tenant than $1, or what is another tenant's.
select w as word from unnest($2::text[]) w
 where exists (select from tenant e where (e.slug = w or e.key = w) and e.id <> $1)
    or exists (select from identity i where i.domain = w and i.tenant <> $1);

-- name: set_tenant
-- Whose own incidents the views of this transaction show, also to the control role.
select set_config('mailcordon.tenant', $1::int::text, true);

-- name: times
-- Of incidents opened since $1, without those that were part of another one: how long it took to know whose fault it was, and until
-- it did no more harm. Groups are by what is not null: kind ($2) and month ($3).
select case when $2 then kind end as kind,
       case when $3 then to_char(to_timestamp(opened_at / 1000.0) at time zone 'UTC', 'YYYY-MM') end as month,
       count(*) as incidents,
       count(*) filter (where closed_at is null) as open,
       count(identify) as identified,
       percentile_disc(0.5) within group (order by identify) as identify_median,
       percentile_disc(0.95) within group (order by identify) as identify_p95,
       count(mitigate) as mitigated,
       percentile_disc(0.5) within group (order by mitigate) as mitigate_median,
       percentile_disc(0.95) within group (order by mitigate) as mitigate_p95,
       count(*) filter (where reported_at < identified_at or reported_at is not null and identified_at is null) as customer_first
  from (select *, case when identified_at is not null then greatest(0, identified_at - since) end as identify,
               case when mitigated_at is not null then greatest(0, mitigated_at - since) end as mitigate
          from incident where opened_at >= $1 and part_of is null) x
 group by 1, 2 order by 2 desc nulls last, 1 limit 1000;

-- name: change
-- Locks an incident for a change by a person.
select closed_at, acknowledged_at, reported_at, tenant, cause,
       (select count(*) from incident_entry e where e.incident = $1 and e.what = 'note') as notes
  from incident where id = $1 for update;

-- name: acknowledge
-- Alerts about it end.
update incident set acknowledged_at = now_ms(), acknowledged_by = $2 where id = $1;

-- name: close
-- Alarms that still show stay silent. Without any it does no more harm.
update incident
   set closed_at = now_ms(), closed_by = $2, closed_because = $3,
       mitigated_at = case when exists (select from incident_alarm a where a.incident = $1 and a.ended_at is null) then mitigated_at
                           else coalesce(mitigated_at, seen_at) end
 where id = $1;

-- name: report
-- When a customer reported it.
update incident set reported_at = $2 where id = $1;

-- name: enter
-- An entry by a person.
insert into incident_entry (incident, at, what, author, text) values ($1, now_ms(), $2, $3, $4);

-- name: is_there
-- Whether there is such an incident, whomever it concerns. For the platform only.
select exists (select from incident where id = $1);
