-- What the loop of incidents reads and writes each second (observe/incidents/loop.py), as the control role.

-- name: read
-- Open incidents, those closed within $1 milliseconds, and those with these numbers.
select x.id, x.kind, x.cause, x.severity, x.scope, x.name, x.tenant, x.lane, x.culprit, x.sentence, x.next, x.command,
       x.since, x.opened_at, x.identified_at, x.mitigated_at, x.mitigated_by, x.closed_at, x.closed_by, x.closed_because, x.seen_at,
       x.cause_seen_at, x.alarms, x.entries, x.concerned
  from (select * from incident where closed_at is null
        union all select * from incident where closed_at > now_ms() - $1::bigint
        union all select * from incident where id = any ($2::bigint[]) and closed_at <= now_ms() - $1::bigint) x
 order by x.id;

-- name: now
-- The database's clock.
select now_ms();

-- name: with_alarms
-- Closed incidents whose alarms still showed when they were last seen: a person closed them.
select distinct incident from incident_alarm where ended_at is null;

-- name: listed
-- The alarms of these incidents.
select incident, key, source, cause, severity, contained, ended_at is not null as has_ended
  from incident_alarm where incident = any ($1::bigint[]);

-- name: actions
-- The records of actions that are in their timelines.
select incident, key from incident_entry where incident = any ($1::bigint[]) and key is not null;

-- name: lock_rows
-- Which of these incidents are open, locked until they are written.
select id, closed_at is null as is_open from incident where id = any ($1::bigint[]) order by id for update;

-- name: open
-- A new incident.
insert into incident (kind, cause, severity, scope, name, tenant, lane, culprit, sentence, next, command, since, opened_at, identified_at,
                      mitigated_at, mitigated_by, seen_at, cause_seen_at, alarms, entries, concerned, evidence)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, coalesce($22::jsonb, '{}'))
returning id;

-- name: change
-- What the loop has judged of an incident. An acknowledgement ends when it opens again ($25).
update incident
   set kind = $2, severity = $3, scope = $4, name = $5, tenant = $6, lane = $7, culprit = $8, sentence = $9, next = $10, command = $11,
       since = $12, identified_at = $13, mitigated_at = $14, mitigated_by = $15, seen_at = $16, cause_seen_at = $17, alarms = $18,
       entries = $19, concerned = $20, evidence = coalesce($21::jsonb, evidence), closed_at = $22, closed_by = $23,
       closed_because = $24, acknowledged_at = case when $25 then null else acknowledged_at end,
       acknowledged_by = case when $25 then null else acknowledged_by end,
       part_of = case when $25 then null
                      when $26::text is null then part_of
                      else (select o.id from incident o where o.cause = $26 and o.closed_at is null) end
 where id = $1;

-- name: add_alarms
-- Alarms that joined it. One that had ended shows again.
insert into incident_alarm (incident, key, source, kind, cause, severity, contained, tenant, sentence, since, first_seen)
select $1, a.key, a.source, a.kind, a.cause, a.severity, a.contained, a.tenant, a.sentence, a.since, $11
  from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[], $8::int[], $9::text[], $10::bigint[])
       a (key, source, kind, cause, severity, contained, tenant, sentence, since)
on conflict (incident, key) do update set severity = excluded.severity, contained = excluded.contained, cause = excluded.cause,
                                          source = excluded.source, sentence = excluded.sentence, ended_at = null;

-- name: change_alarms
-- Alarms that became more or less severe, or are contained now.
update incident_alarm x set source = a.source, cause = a.cause, severity = a.severity, contained = a.contained
  from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::boolean[]) a (key, source, cause, severity, contained)
 where x.incident = $1 and x.key = a.key;

-- name: reword_alarms
-- Alarms say what is wrong now, with its numbers; the first sentence of each is in the timeline.
update incident_alarm x set sentence = a.sentence from unnest($2::text[], $3::text[]) a (key, sentence)
 where x.incident = $1 and x.key = a.key and x.sentence <> a.sentence;

-- name: end_alarms
-- Alarms that no longer show.
update incident_alarm set ended_at = $3 where incident = $1 and key = any ($2::text[]) and ended_at is null;

-- name: enter
-- Entries of the timeline, in their order. What is identified by a key is entered once.
insert into incident_entry (incident, at, what, author, text, key)
select $1, e.at, e.what, e.author, e.text, e.key
  from unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[]) with ordinality e (at, what, author, text, key, n)
 order by e.n
on conflict (incident, key) do nothing;
