-- Who receives the mail of each domain, as its MX records said when the control role asked (docs/decisions/035-mailbox-providers.md).
-- Nobody waits for it: the first mail to a domain is accepted as unknown, and its counts move when the domain is learnt.

create table domain_provider (
    domain text primary key,
    provider smallint not null,                             -- core.provider.Provider; -1: no look-up has succeeded yet
    behind smallint,                                        -- who has the mailboxes, where the provider is a gateway and that is known
    found smallint not null,                                -- core.mailbox_host.Found
    mx text[] not null default '{}',                        -- the hosts that decided it
    since bigint not null,                                  -- when this provider was seen first, milliseconds since 1970
    learnt_at bigint not null,                              -- of the last look-up that answered; 0: none has
    asked_at bigint not null,                               -- of the last look-up
    expires_at bigint not null,                             -- looked up again when mail to the domain comes after this
    failures int not null default 0,                        -- look-ups without an answer, one after the other
    detail text                                             -- why the last look-up failed
);
create index domain_provider_asked on domain_provider (asked_at);

-- From which minute on a domain had which provider. The mail of earlier minutes belongs to the first.
create table domain_provider_change (
    domain text not null,
    minute int not null,                                    -- minutes since 1970
    provider smallint not null,
    primary key (domain, minute)
);

-- Domains that mail goes to and of which nothing, or nothing recent, is known.
create table domain_wanted (
    domain text primary key,
    due_at bigint not null default now_ms(),                -- milliseconds since 1970; later while a look-up is under way
    asked_by text not null default ''                       -- slug of the tenant whose mail met it first; '': of none
);
create index domain_wanted_due on domain_wanted (asked_by, due_at);

-- What is counted under an unknown provider, by domain, until the domain is learnt or its minutes are too old to change.
create table cohort_unknown (
    domain text not null,
    minute int not null,
    slice int not null,
    counts int[] not null,                                  -- in the order of core.cohort.COLUMNS
    primary key (domain, minute, slice)
);
create index cohort_unknown_minute on cohort_unknown (minute);

-- The provider of a domain's mail of a minute; -1 if it is not known. A domain may change its provider: later answers do not change
-- what earlier mail was counted under.
create function provider_at(of_domain text, of_minute int) returns smallint
language sql stable parallel safe set search_path = pg_catalog, mailcordon, pg_temp as $$
    select coalesce(
        (select provider from domain_provider_change where domain = of_domain and minute <= of_minute order by minute desc limit 1),
        (select provider from domain_provider_change where domain = of_domain order by minute limit 1),
        -1::smallint)
$$;

-- The same of the recipients of a message, when it was accepted.
create function providers_at(recipients text[], message bigint) returns smallint[]
language sql stable parallel safe set search_path = pg_catalog, mailcordon, pg_temp as $$
    select array(select provider_at(domain_of(u.recipient), (ms_of(message) / 60000)::int)
                   from unnest(recipients) with ordinality u (recipient, n) order by n)
$$;

-- Adds two lists of counts; the shorter one ends in zeros.
create function add_counts(one int[], other int[]) returns int[]
language sql immutable parallel safe set search_path = pg_catalog, mailcordon, pg_temp as $$
    select array_agg(coalesce(a, 0) + coalesce(b, 0) order by n)
      from rows from (unnest(one), unnest(other)) with ordinality as u (a, b, n)
$$;

-- Moves what was counted as unknown to the domains' providers, as changes for the next fold: those taken back name no domain, so
-- that they stay changes of the unknown. Returns how many rows moved. Runs as the owner: the learner changes no counts otherwise.
create function move_unknown(of_domains text[], most int) returns int
language plpgsql security definer set search_path = pg_catalog, mailcordon, pg_temp set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off as $$
declare
    n int;
begin
    if of_domains is null or most is null or not most between 1 and 100000 then
        raise exception 'move_unknown: an argument is missing or out of bounds' using errcode = 'invalid_parameter_value';
    end if;
    with known as (
        select u.domain, u.minute, u.slice, provider_at(u.domain, u.minute) as provider from cohort_unknown u
         where u.domain = any (of_domains)
           and provider_at(u.domain, u.minute) >= 0
         order by u.domain, u.minute, u.slice limit most
           for update of u skip locked
    ), moved as (
        delete from cohort_unknown u using known k
         where u.domain = k.domain and u.minute = k.minute and u.slice = k.slice
        returning u.minute, u.slice, u.counts, k.provider
    ), written as (
        insert into cohort_change (tenant, lane, minute, path, campaign, list, provider, counts)
        select l.tenant, l.lane, m.minute, l.path, l.campaign, l.list, p.provider,
               case when p.provider = -1 then array(select -c from unnest(m.counts) with ordinality u (c, i) order by i) else m.counts end
          from moved m join slice l on l.id = m.slice cross join lateral (values ((-1)::smallint), (m.provider)) p (provider)
        returning 1
    )
    select count(*) into n from moved where (select count(*) from written) >= 0;
    return n;
end $$;
revoke all on function provider_at(text, int), providers_at(text[], bigint), add_counts(int[], int[]), move_unknown(text[], int) from public;

-- Asks for domains, as long as not too many wait already, of all tenants or of the tenant whose mail met them: mail to made-up
-- domains must not fill the disk, nor leave no room to others.
create function want_domains(of_domains text[], slugs text[]) returns int
language plpgsql security definer set search_path = pg_catalog, mailcordon, pg_temp as $$
declare
    n int;
begin
    if of_domains is null or slugs is null or cardinality(of_domains) > 10000 or cardinality(of_domains) <> cardinality(slugs) then
        raise exception 'want_domains: an argument is missing or out of bounds' using errcode = 'invalid_parameter_value';
    end if;
    if (select count(*) from (select from domain_wanted limit 50000) w) >= 50000 then
        return 0;
    end if;
    insert into domain_wanted (domain, asked_by)
    select x.domain, x.slug
      from (select domain, slug, row_number() over (partition by slug order by domain) as n
              from (select distinct on (u.domain) u.domain, left(u.slug, 100) as slug
                      from unnest(of_domains, slugs) u (domain, slug)
                     where length(u.domain) between 1 and 253 and u.slug is not null order by u.domain) d) x
      left join (select asked_by, count(*) as n from domain_wanted group by asked_by) w on w.asked_by = x.slug
     where x.n + coalesce(w.n, 0) <= 10000
     order by x.domain
    on conflict do nothing;
    get diagnostics n = row_count;
    return n;
end $$;
revoke all on function want_domains(text[], text[]) from public;

grant execute on function provider_at(text, int), providers_at(text[], bigint), add_counts(int[], int[])
    to {{control}}, {{observe}}, {{send}}, {{governor}}, {{reader}};
grant execute on function move_unknown(text[], int) to {{control}}, {{observe}};
grant execute on function want_domains(text[], text[]) to {{send}}, {{observe}}, {{control}};
grant select on domain_provider, domain_provider_change to {{control}}, {{observe}}, {{send}}, {{governor}}, {{reader}};
grant insert, update, delete on domain_provider, domain_provider_change to {{control}};
grant select, insert, update, delete on domain_wanted to {{control}};
grant select, insert, update, delete on cohort_unknown to {{control}}, {{observe}};
