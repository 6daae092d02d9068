-- Health: what each process reports of itself, and what `status`, `doctor` and a delivery's timeline read (docs/operations.md).

-- One row per process, written every 2 s. `facts` differ by role: send/facts.py, observe/facts.py, control/facts.py.
create table role_health (
    role text not null check (role in ('api', 'dispatch', 'observe', 'control')),
    instance text not null,                                 -- made at start: a process that is started again is another instance
    host text not null,
    pid int not null,
    started bigint not null,
    beat bigint not null,
    facts jsonb not null default '{}',
    primary key (role, instance)
) with (fillfactor = 50);
grant select, insert, update, delete on role_health to {{control}}, {{send}}, {{observe}};

-- When each role last reported. A tenant may know that no dispatcher runs, and nothing else of the processes.
create view role_beat as select role, max(beat) as beat from role_health group by role;
grant select on role_beat to {{control}}, {{send}}, {{observe}}, {{reader}};

-- A delivery's timeline names the holds that covered it, lifted ones too.
create index hold_of_tenant on hold (tenant, since);

-- What SES says of the account, as far as it concerns the mail of a tenant, which may see it.
create view account_state as
    select cell, sending_enabled and enforcement <> 'SHUTDOWN' as enabled, case when max_24h >= 0 then max_24h end as quota,
           case when max_24h >= 0 then max_24h - sent_24h - taken end as quota_left
      from account_rate;
grant select on account_state to {{control}}, {{governor}}, {{reader}};

-- Counts from the acceptance on (docs/observe.md). Deliveries that were refused at the door never were in the queue.
alter table lane_intake add column refused bigint not null default 0;

-- What became of everything that a lane ever accepted: accepted = sent + refused + ... + no_outcome + queued, in each snapshot.
create view lane_total as
    select l.id as lane, l.tenant, (i.deliveries + i.refused)::bigint as accepted,
           (f.deliveries - f.refused - f.expired - f.cancelled - f.given_up - f.rejected - f.no_outcome)::bigint as sent,
           (i.refused + f.refused)::bigint as refused, f.expired::bigint, f.cancelled::bigint, f.given_up::bigint, f.rejected::bigint,
           f.no_outcome::bigint, (i.deliveries - f.deliveries)::bigint as queued
      from lane l
     cross join lateral (
          select coalesce(sum(deliveries), 0) as deliveries, coalesce(sum(refused), 0) as refused from lane_intake where lane = l.id) i
     cross join lateral (
          select coalesce(sum(deliveries), 0) as deliveries, coalesce(sum(refused), 0) as refused, coalesce(sum(expired), 0) as expired,
                 coalesce(sum(cancelled), 0) as cancelled, coalesce(sum(given_up), 0) as given_up, coalesce(sum(rejected), 0) as rejected,
                 coalesce(sum(no_outcome), 0) as no_outcome
            from lane_finished where lane = l.id) f;
grant select on lane_total to {{control}};
-- Of the tenant that the transaction names, whoever asks: the tables behind it have no tenant, so row-level security cannot help.
create view own_lane_total with (security_barrier) as
    select * from lane_total where tenant = nullif(current_setting('mailcordon.tenant', true), '')::int;
grant select on own_lane_total to {{control}}, {{reader}};

-- The totals as they were, once a minute if they changed. The difference of two rows is what happened between them.
create table lane_count (
    lane int not null,
    at bigint not null,
    tenant int not null,
    accepted bigint not null,
    sent bigint not null,
    refused bigint not null,
    expired bigint not null,
    cancelled bigint not null,
    given_up bigint not null,
    rejected bigint not null,
    no_outcome bigint not null,
    queued bigint not null generated always as
        (accepted - sent - refused - expired - cancelled - given_up - rejected - no_outcome) stored,
    primary key (lane, at),
    foreign key (tenant, lane) references lane (tenant, id)
);
grant select, insert, delete on lane_count to {{control}};
grant select on lane_count to {{reader}};
alter table lane_count enable row level security;
create policy own_tenant on lane_count for select to {{reader}}
    using (tenant = nullif(current_setting('mailcordon.tenant', true), '')::int);
create policy planes on lane_count to {{control}} using (true) with check (true);
-- What happened before this migration is not known apart: windows begin here.
insert into lane_count
select lane, 0, tenant, accepted, sent, refused, expired, cancelled, given_up, rejected, no_outcome from lane_total where accepted > 0;
