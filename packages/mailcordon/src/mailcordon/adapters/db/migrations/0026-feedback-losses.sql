-- Feedback that is lost or late (docs/decisions/033-feedback-losses.md): mail that SES took and whose events do not come. Control
-- raises a loss and ends it. Rates over minutes that one covers are unreliable; a loss itself is no sign of good or bad mail.

create table feedback_loss (
    id bigint generated always as identity primary key,
    -- send: no event of these mails comes. bounce, complaint: others come, and these do not.
    signal text not null check (signal in ('send', 'bounce', 'complaint')),
    configuration_set text,                                 -- null: every set
    provider smallint,                                      -- core.provider.Provider; null: every provider
    since bigint not null,                                  -- milliseconds since 1970: the first minute of mail without events
    until bigint,                                           -- the end of the last such minute; null: it lasts
    raised_at bigint not null,
    ended_at bigint,
    cause text not null,                                    -- observe.feedback_watch.Cause
    because text not null,                                  -- the cause as a sentence
    late boolean not null default false,                    -- the events wait in the queue, and will be counted
    evidence jsonb not null default '{}',
    missing bigint not null default 0,                      -- how many events are missing, as of the last count; 0: none any more
    counted_at bigint not null,
    check ((until is null) = (ended_at is null))
);
create unique index feedback_loss_open on feedback_loss (signal, coalesce(configuration_set, ''), coalesce(provider, -1))
    where ended_at is null;
create index feedback_loss_ended on feedback_loss (ended_at) where ended_at is not null;

-- The configuration set that mail of a lane and path had in a minute since 1970. In the minute of a change it is the earlier one.
create function set_at(of_lane int, of_path text, of_minute int) returns text language sql stable as $$
    select coalesce(
        (select b.configuration_set from route_before b
          where b.lane = of_lane and b.path = of_path and b.until >= of_minute * 60000::bigint order by b.until limit 1),
        (select r.configuration_set from route r where r.lane = of_lane and r.path = of_path))
$$;

-- The lanes that a loss concerns, while it lasts or if events are missing for good. Ask for lanes and a window:
-- `lane = any (...) and since < TO and (until is null or until > FROM)`.
create view feedback_mark as
    select l.id as lane, l.tenant, x.id as loss, x.signal, x.provider, x.since, x.until, x.late
      from feedback_loss x cross join lane l
     where x.configuration_set is null and (x.until is null or x.missing > 0)
    union
    select r.lane, r.tenant, x.id, x.signal, x.provider, x.since, x.until, x.late
      from feedback_loss x join route r on r.configuration_set = x.configuration_set
     where x.until is null or x.missing > 0
    union
    select l.id, l.tenant, x.id, x.signal, x.provider, x.since, x.until, x.late
      from feedback_loss x join route_before b on b.configuration_set = x.configuration_set and b.until > x.since join lane l on l.id = b.lane
     where x.until is null or x.missing > 0;
-- A tenant's key sees whether its own lanes are concerned, and nothing of the sets that tenants share.
create view own_feedback_mark with (security_barrier) as
    select lane, signal, provider, since, until, late from feedback_mark
     where tenant = nullif(current_setting('mailcordon.tenant', true), '')::int;

grant select on feedback_loss, feedback_mark to {{control}}, {{governor}}, {{observe}};
grant insert, update, delete on feedback_loss to {{control}};
grant select on own_feedback_mark to {{control}}, {{reader}};
revoke all on function set_at(int, text, int) from public;
grant execute on function set_at(int, text, int) to {{control}};
grant select on slice, cohort_minute, cohort_hour, cohort_day, cohort_feed, cohort_fold to {{control}};

-- What the database knows of the observer's login: whether it is let in, and its connections. A process that was stopped keeps them.
create function observer_login(out sessions bigint, out may_connect boolean) language sql stable as $$
    select (select count(*) from pg_stat_activity a where a.usesysid = r.oid and a.datname = current_database()),
           r.rolcanlogin and r.rolconnlimit <> 0 and coalesce(r.rolvaliduntil > now(), true)
               and has_database_privilege(r.oid, current_database(), 'connect')
      from pg_roles r where r.oid = '{{observe}}'::regrole
$$;
revoke all on function observer_login() from public;
grant execute on function observer_login() to {{control}};
