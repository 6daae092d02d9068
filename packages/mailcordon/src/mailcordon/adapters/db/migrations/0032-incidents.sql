-- Incidents (docs/incidents.md): what went wrong, whose it is, since when, and what was done. Times are milliseconds since 1970.

create table incident (
    id bigint generated always as identity primary key,
    kind text not null,                                     -- core.incident.Kind
    cause text not null,                                    -- what its alarms have in common, e.g. `set:mc-urgent`
    severity text not null check (severity in ('critical', 'high', 'medium', 'low')),
    scope text not null,                                    -- core.incident.ScopeKind
    name text not null,                                     -- of what the scope says
    tenant int references tenant,                           -- whose it is; null: the platform's
    lane int references lane,
    culprit text,                                           -- null: not known yet
    sentence text not null,                                 -- of its worst alarm, as it was read last
    next text not null,
    command text,
    since bigint not null,                                  -- estimated
    opened_at bigint not null,
    identified_at bigint,                                   -- when it had a culprit
    mitigated_at bigint,                                    -- when it did no more harm: contained, or its last alarm ended
    mitigated_by text,
    reported_at bigint,                                     -- when a customer first reported it
    acknowledged_at bigint,
    acknowledged_by text,
    closed_at bigint,
    closed_by text,
    closed_because text,
    part_of bigint references incident on delete set null,  -- the incident that explains it
    seen_at bigint not null,                                -- when one of its alarms was last there
    cause_seen_at bigint not null,                          -- and one of its own cause, not one that it explains
    alarms int not null default 0,                          -- alarms that it ever had
    entries int not null default 0,                         -- of the timeline, without what people and alerts add
    concerned int[] not null default '{}',                  -- other tenants
    evidence jsonb not null default '{}',
    check ((closed_at is null) = (closed_by is null)),
    check ((acknowledged_at is null) = (acknowledged_by is null))
);
create unique index incident_open on incident (cause) where closed_at is null;
create index incident_closed on incident (closed_at) where closed_at is not null;
create index incident_tenant on incident (tenant, id) where tenant is not null;
create index incident_concerned on incident using gin (concerned) where concerned <> '{}';
create index incident_opened on incident (opened_at);
create index incident_part_of on incident (part_of) where part_of is not null;

-- The alarms of an incident. At most 200 of each are kept; all are counted.
create table incident_alarm (
    incident bigint not null references incident on delete cascade,
    key text not null,
    source text not null,                                   -- what raised it
    kind text not null,
    cause text not null,                                    -- another one than the incident's if that explains it
    severity text not null,
    contained boolean not null,
    tenant int references tenant,
    sentence text not null,                                 -- when it was seen first
    since bigint not null,
    first_seen bigint not null,
    ended_at bigint,
    primary key (incident, key)
);
create index incident_alarm_open on incident_alarm (incident) where ended_at is null;

-- The timeline. `what`: opened, reopened, worsened, joined, identified, action, contained, mitigated, note, reported, acknowledged,
-- alerted, not-alerted, closed.
create table incident_entry (
    id bigint generated always as identity primary key,
    incident bigint not null references incident on delete cascade,
    at bigint not null,
    what text not null,
    author text not null,
    text text not null,
    key text,                                               -- of an action: its record, entered once
    unique (incident, key)
);
create index incident_entry_of on incident_entry (incident, id);

grant select on incident, incident_alarm, incident_entry to {{control}}, {{governor}};
grant insert, update, delete on incident, incident_alarm, incident_entry to {{control}};

-- What a tenant's key sees: incidents that concern it. Words are shown only of those that concern nobody else, and the API leaves
-- them out if they name another tenant. Some kinds name callers, addresses and hosts that are not the tenant's: the API tells of
-- them in general; and who changed a resource at SES is a person of the platform.
create view own_incident with (security_barrier) as
    select id, kind, severity, since, opened_at, identified_at, mitigated_at, reported_at, closed_at, tenant = t as own,
           case when tenant = t and concerned = '{}' and kind not in ('ungoverned', 'integrity', 'service') then sentence end as sentence,
           case when tenant = t and concerned = '{}' and kind not in ('ungoverned', 'integrity', 'service', 'drift', 'feedback-lost')
                then culprit end as culprit
      from incident cross join (select nullif(current_setting('mailcordon.tenant', true), '')::int as t) x
     where tenant = t or concerned @> array[t];
create view own_incident_alarm with (security_barrier) as
    select a.incident, a.kind, a.severity, case when a.kind not in ('ungoverned', 'integrity', 'service') then a.sentence end as sentence,
           a.since, a.first_seen, a.ended_at
      from incident_alarm a
     where a.tenant = nullif(current_setting('mailcordon.tenant', true), '')::int;
-- Of its own incidents, what was done; notes and alerts are the platform's.
create view own_incident_action with (security_barrier) as
    select e.incident, e.id, e.at, e.text
      from incident_entry e join own_incident i on i.id = e.incident
     where e.what = 'action' and i.own and i.sentence is not null;
grant select on own_incident, own_incident_alarm, own_incident_action to {{control}}, {{reader}};
