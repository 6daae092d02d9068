-- What others say of our mail, by domain and UTC day (docs/signals.md, core/outside_signal.py). Somebody imports it, and vouches for it.

create table outside_signal (
    id int generated always as identity primary key,
    source text not null check (source in ('postmaster', 'dmarc')),
    domain text not null check (domain <> ''),
    day int not null,                                       -- UTC days since 1970
    provider smallint,                                      -- core.provider.Provider; null: none that we know
    reporter text not null default '',                      -- DMARC: the organisation, and its own number of the report
    report text not null default '',
    rate double precision not null check (rate between 0 and 1),
    bad bigint,                                             -- mails behind the rate; null: the source says only the share
    of_mails bigint,
    elsewhere bigint,                                       -- DMARC: mails that did not come through SES
    elsewhere_bad bigint,
    trust text not null check (trust in ('low', 'medium', 'high')),
    tenant int references tenant,                           -- who alone sent from the domain when it was imported
    imported_at bigint not null default now_ms(),
    imported_by text not null,
    check (source <> 'dmarc' or trust <> 'high'),
    check (bad is null or bad between 0 and of_mails),
    unique (source, domain, day, reporter, report)
);
create index outside_signal_day on outside_signal (day);
create index outside_signal_of on outside_signal (tenant, id);
grant select, insert, update, delete on outside_signal to {{control}};
grant select on outside_signal to {{reader}};
alter table outside_signal enable row level security;
create policy own_tenant on outside_signal for select to {{reader}}
    using (tenant = nullif(current_setting('mailcordon.tenant', true), '')::int);
create policy planes on outside_signal to {{control}} using (true) with check (true);

alter table send_limit drop constraint send_limit_owner_check;
alter table send_limit add constraint send_limit_owner_check check (owner in
    ('policy', 'new-sender', 'warm-up', 'release', 'guard', 'outside', 'default'));
