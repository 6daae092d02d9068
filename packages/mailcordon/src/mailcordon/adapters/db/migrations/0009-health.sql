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
grant select on account_state to {{control}}, {{reader}};
