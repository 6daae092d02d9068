-- Counts by cohort: the mail that was handed to SES in a minute, and what became of it. One truth for metrics, breaker and reports
-- (docs/decisions/032-cohorts.md). Whoever knows of a change appends it to `cohort_change`; one folder adds the changes to the
-- cohorts, so no sender and no observer ever waits for a row that they share.
--
-- A count of 0 is stored as null: it takes no room, and most counts of a cohort are 0.

-- What mail is counted under beside its time and its mailbox provider. `path` is the route's.
create table slice (
    id int generated always as identity primary key,
    tenant int not null,
    lane int not null,
    path text not null,
    campaign text,                                          -- null: the app named none
    list text,
    first_minute int not null,                              -- minutes since 1970 of the first mail counted under it
    unique nulls not distinct (lane, path, campaign, list)
);
create index slice_of_tenant on slice (tenant, lane);

-- Changes that are not folded yet. Each may be negative.
create table cohort_change (
    id bigint generated always as identity primary key,
    tenant int not null,
    lane int not null,
    minute int not null,                                    -- minutes since 1970 of the call to SES
    path text not null,
    campaign text,
    list text,
    provider smallint not null,                             -- core.provider.Provider
    domain text,                                            -- the recipient's, where the provider is not known yet
    counts int[] not null                                   -- in the order of core.cohort.COLUMNS
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000);

create table cohort_minute (
    minute int not null,
    slice int not null,
    provider smallint not null,
    sent int, send_events int, delivered int, hard_bounced int, soft_bounced int, complained int, delayed int, rejected int,
    suppressed_at_ses int, opened int, clicked int, machine_opened int, machine_clicked int, unclear int,
    recipient_gone int, recipient_full int, sender_reputation int, sender_auth int, content int, throttled int, policy int,
    infrastructure int, undetermined int,
    primary key (minute, slice, provider)
);

-- The same by hour since 1970.
create table cohort_hour (
    hour int not null,
    slice int not null,
    provider smallint not null,
    sent int, send_events int, delivered int, hard_bounced int, soft_bounced int, complained int, delayed int, rejected int,
    suppressed_at_ses int, opened int, clicked int, machine_opened int, machine_clicked int, unclear int,
    recipient_gone int, recipient_full int, sender_reputation int, sender_auth int, content int, throttled int, policy int,
    infrastructure int, undetermined int,
    primary key (hour, slice, provider)
);

-- By day since 1970, for whole lanes: campaigns and lists are not told apart.
create table cohort_day (
    day int not null,
    lane int not null,
    provider smallint not null,
    tenant int not null,
    sent int, send_events int, delivered int, hard_bounced int, soft_bounced int, complained int, delayed int, rejected int,
    suppressed_at_ses int, opened int, clicked int, machine_opened int, machine_clicked int, unclear int,
    recipient_gone int, recipient_full int, sender_reputation int, sender_auth int, content int, throttled int, policy int,
    infrastructure int, undetermined int,
    primary key (day, lane, provider)
);

-- A campaign's or list's whole life: the sums over all minutes of its slices.
create table cohort_slice (
    slice int not null,
    provider smallint not null,
    first_minute int not null,
    last_minute int not null,
    sent int, send_events int, delivered int, hard_bounced int, soft_bounced int, complained int, delayed int, rejected int,
    suppressed_at_ses int, opened int, clicked int, machine_opened int, machine_clicked int, unclear int,
    recipient_gone int, recipient_full int, sender_reputation int, sender_auth int, content int, throttled int, policy int,
    infrastructure int, undetermined int,
    primary key (slice, provider)
);

-- Hard bounces outside the named providers by the recipient's domain: a domain that goes away yields hundreds for one cause.
create table cohort_bounce_domain (
    minute int not null,
    lane int not null,
    domain bigint not null,                                 -- hash of the domain
    hard_bounced int not null,
    primary key (minute, lane, domain)
);

-- What each fold changed, for those who follow: keys with the sums of their changes. Folds are numbered in the order of their
-- commits without gaps, so a reader continues after the last number that it saw. Kept for a day.
create table cohort_feed (
    fold bigint not null,
    minute int not null,
    slice int not null,
    provider smallint not null,
    counts int[] not null,
    primary key (fold, minute, slice, provider)
);

-- The one folder's place.
create table cohort_fold (
    id smallint primary key default 1 check (id = 1),
    fold bigint not null default 0,
    folded_at bigint not null default 0                     -- milliseconds since 1970 of the last fold, also of nothing
);
insert into cohort_fold default values;
