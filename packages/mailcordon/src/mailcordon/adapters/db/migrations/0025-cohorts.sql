-- Counts by cohort: the mail that was handed to SES in a minute, and what became of it. One truth for metrics, breaker and reports
-- (docs/decisions/032-cohorts.md). Whoever knows of a change appends it to `cohort_change`; one folder adds the changes to the
-- cohorts, so no sender and no observer ever waits for a row that they share.
--
-- A count of 0 is stored as null: it takes no room, and most counts of a cohort are 0.

-- What mail is counted under beside its time and its mailbox provider. `path` is that of the message. A lane has 20,000 at most:
-- mail of further campaigns and lists is counted under the campaign '*', which no campaign is named.
create table slice (
    id int generated always as identity primary key,
    tenant int not null,
    lane int not null,
    path text not null,
    campaign text,                                          -- null: the app named none
    list text,
    first_minute int not null                               -- minutes since 1970 of the first mail counted under it
);
-- Neither a campaign nor a list is ever ''. No other index begins with or skips to a lane: a fold's plan, which is made while there are
-- no slices, must find each by its whole key.
create unique index slice_key on slice (lane, path, coalesce(campaign, ''), coalesce(list, ''));
create index slice_of_tenant on slice (tenant);

-- Changes that are not folded yet. Each may be negative.
create table cohort_change (
    id bigint generated always as identity primary key,
    tenant int not null,
    lane int not null,
    minute int not null,                                    -- minutes since 1970 of the call to SES
    path text not null,
    campaign text,
    list text,
    provider smallint not null,                             -- core.provider.Provider; -1: not known yet
    domain text,                                            -- the recipient's, if the provider is unknown, and of bounces outside the named ones
    counts int[] not null                                   -- in the order of core.cohort.COLUMNS; missing ones at the end are 0
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
) partition by range (minute);
create table cohort_minute_default partition of cohort_minute default;

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
) partition by range (hour);
create table cohort_hour_default partition of cohort_hour default;

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
) with (fillfactor = 90);

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
) with (fillfactor = 80);

-- Hard bounces outside the named providers by the recipient's domain: a domain that goes away yields hundreds for one cause.
create table cohort_bounce_domain (
    minute int not null,
    lane int not null,
    domain bigint not null,                                 -- domain_hash of the domain
    hard_bounced int not null,
    primary key (minute, lane, domain)
);

-- What each fold changed, for those who follow: keys with the sums of their changes. Folds are numbered in the order of their
-- commits without gaps, so a reader continues after the last number that it saw. Kept for a day.
create table cohort_feed (
    fold bigint not null,
    at bigint not null,                                     -- milliseconds since 1970 of the fold
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
    folded_at bigint not null default 0                     -- milliseconds since 1970: what was committed before is folded
);
insert into cohort_fold default values;

-- Folding ------------------------------------------------------------------------------------------------------------------------

create function domain_hash(domain text) returns bigint language sql immutable
    return hashtextextended(domain, 0);

-- Waits for a fold that runs, and keeps the next one from starting until the end of the transaction: for whoever moves counts that
-- were folded.
create function hold_cohort_fold() returns void language sql volatile as $$
    select pg_advisory_xact_lock(28015, 0)
$$;

-- Adds committed changes, at most `most`, to the cohorts. Returns how many; null if another folds. In one transaction each change
-- is deleted and added, so it is counted exactly once wherever a process dies. Unknown mail is counted under what its domain was
-- learnt to be (0028); what is still unknown is remembered by domain. It runs as the owner: nobody else writes to the cohorts.
do $do$
declare
    names text[] := array['sent', 'send_events', 'delivered', 'hard_bounced', 'soft_bounced', 'complained', 'delayed', 'rejected',
        'suppressed_at_ses', 'opened', 'clicked', 'machine_opened', 'machine_clicked', 'unclear', 'recipient_gone', 'recipient_full',
        'sender_reputation', 'sender_auth', 'content', 'throttled', 'policy', 'infrastructure', 'undetermined'];
    columns text := array_to_string(names, ', ');
    each_sum text;                                          -- of the elements of `counts`
    each_count text;                                        -- the elements of `counts` as columns
    each_column text;                                       -- the same of sums over several rows
    each_column_of_table text;                              -- sums of the columns
    each_new text;                                          -- what an upsert writes
    all_null text;
begin
    select string_agg(format('coalesce(sum(x.counts[%s]), 0)::int', n), ', ' order by n),
           string_agg(format('nullif(x.counts[%s], 0)', n), ', ' order by n),
           string_agg(format('nullif(sum(x.counts[%s]), 0)::int', n), ', ' order by n),
           string_agg(format('nullif(sum(x.%I), 0)::int', name), ', ' order by n),
           string_agg(format('%1$I = nullif(coalesce(c.%1$I, 0) + coalesce(excluded.%1$I, 0), 0)', name), ', ' order by n),
           format('coalesce(%s) is null', string_agg(format('c.%I', name), ', ' order by n))
      into each_sum, each_count, each_column, each_column_of_table, each_new, all_null
      from unnest(names) with ordinality u (name, n);
    -- Counts that were taken back may leave nothing: of this fold, or of one before, if what is taken back came first. Each row is looked
    -- up by its key, whatever the tables held when this was planned.
    execute format($f$
create function delete_empty_cohorts(n bigint) returns void language plpgsql
set search_path = pg_catalog, mailcordon, pg_temp set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off as $$
declare
    r record;
begin
    for r in select x.minute, x.slice, x.provider from cohort_feed x
              cross join lateral (select from cohort_minute c where c.minute = x.minute and c.slice = x.slice and c.provider = x.provider
                                     and %1$s limit 1) c
              where x.fold = n
    loop
        delete from cohort_minute c where c.minute = r.minute and c.slice = r.slice and c.provider = r.provider;
    end loop;
    for r in select x.hour, x.slice, x.provider
               from (select distinct f.minute / 60 as hour, f.slice, f.provider from cohort_feed f where f.fold = n) x
              cross join lateral (select from cohort_hour c where c.hour = x.hour and c.slice = x.slice and c.provider = x.provider
                                     and %1$s limit 1) c
    loop
        delete from cohort_hour c where c.hour = r.hour and c.slice = r.slice and c.provider = r.provider;
    end loop;
    for r in select x.day, x.lane, x.provider
               from (select distinct f.minute / 1440 as day, (select s.lane from slice s where s.id = f.slice) as lane, f.provider
                       from cohort_feed f where f.fold = n) x
              cross join lateral (select from cohort_day c where c.day = x.day and c.lane = x.lane and c.provider = x.provider
                                     and %1$s limit 1) c
    loop
        delete from cohort_day c where c.day = r.day and c.lane = r.lane and c.provider = r.provider;
    end loop;
    for r in select x.slice, x.provider
               from (select distinct f.slice, f.provider from cohort_feed f where f.fold = n) x
              cross join lateral (select from cohort_slice c where c.slice = x.slice and c.provider = x.provider and %1$s limit 1) c
    loop
        delete from cohort_slice c where c.slice = r.slice and c.provider = r.provider;
    end loop;
    for r in select distinct f.minute, (select s.lane from slice s where s.id = f.slice) as lane
               from cohort_feed f where f.fold = n and f.counts[4] <> 0
    loop
        delete from cohort_bounce_domain c where c.minute = r.minute and c.lane = r.lane and c.hard_bounced = 0;
    end loop;
end $$
$f$, all_null);

    execute format($f$
create function fold_cohorts(most int) returns int language plpgsql security definer
set search_path = pg_catalog, mailcordon, pg_temp set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off as $$
declare
    n bigint;
    began bigint;
    taken int;
    ids bigint[];
    emptied boolean;
begin
    if most is null or not most between 1 and 100000 then
        raise exception 'fold_cohorts: an argument is missing or out of bounds' using errcode = 'invalid_parameter_value';
    end if;
    if not pg_try_advisory_xact_lock(28015, 0) then
        return null;
    end if;
    select fold + 1 into n from cohort_fold;
    began := now_ms();
    ids := array(select c.id from cohort_change c order by c.id limit most);
    -- The slices that are missing: of a lane that has too many, only '*'. There are no joins, since they would be planned for the few
    -- rows that the tables have at first.
    insert into slice (tenant, lane, path, campaign, list, first_minute)
    select min(y.tenant), y.lane, y.path, y.campaign, y.list, min(y.minute)
      from (select l.lane, u.tenant, u.path, u.minute, case when u.named and u.place > l.room then '*' else u.campaign end as campaign,
                   case when u.named and u.place > l.room then null else u.list end as list
              from (select k.lane, 20000 - (select count(*) from slice e where e.lane = k.lane) as room,
                           array_agg(k.tenant order by k.path, k.campaign, k.list) as tenants,
                           array_agg(k.path order by k.path, k.campaign, k.list) as paths,
                           array_agg(k.campaign order by k.path, k.campaign, k.list) as campaigns,
                           array_agg(k.list order by k.path, k.campaign, k.list) as lists,
                           array_agg(k.minute order by k.path, k.campaign, k.list) as minutes
                      from (select c.lane, c.path, c.campaign, c.list, min(c.tenant) as tenant, min(c.minute) as minute
                              from cohort_change c where c.id = any (ids) group by 1, 2, 3, 4) k
                     where not coalesce((select true from slice e where e.lane = k.lane and e.path = k.path
                                            and coalesce(e.campaign, '') = coalesce(k.campaign, '')
                                            and coalesce(e.list, '') = coalesce(k.list, '')), false)
                     group by k.lane) l
             cross join lateral (
                   select t.*, t.campaign is not null or t.list is not null as named
                     from unnest(l.tenants, l.paths, l.campaigns, l.lists, l.minutes) with ordinality
                          t (tenant, path, campaign, list, minute, place)) u) y
     group by y.lane, y.path, y.campaign, y.list
    on conflict do nothing;
    with t as materialized (
        delete from cohort_change where id = any (ids)
        returning lane, minute, path, campaign, list, provider, domain, counts
    ), x as materialized (
        select t.lane, t.minute, t.counts, t.domain, t.provider,
               case when t.provider = -1 and t.domain is not null then nullif(provider_at(t.domain, t.minute), -1) end as learnt,
               coalesce((select e.id from slice e where e.lane = t.lane and e.path = t.path
                            and coalesce(e.campaign, '') = coalesce(t.campaign, '') and coalesce(e.list, '') = coalesce(t.list, '')),
                        (select e.id from slice e where e.lane = t.lane and e.path = t.path and coalesce(e.campaign, '') = '*'
                            and coalesce(e.list, '') = '')) as slice
          from t
    ), s as materialized (
        select x.minute, x.slice, coalesce(x.learnt, x.provider) as provider, array[%1$s] as counts from x group by 1, 2, 3
    ), f as (
        insert into cohort_feed (fold, at, minute, slice, provider, counts)
        select n, now_ms(), s.minute, s.slice, s.provider, s.counts
          from s where exists (select from unnest(s.counts) u (one) where u.one <> 0)
    ), u as (
        insert into cohort_unknown as c (domain, minute, slice, counts)
        select x.domain, x.minute, x.slice, array[%1$s]
          from x where x.provider = -1 and x.domain is not null and x.learnt is null
         group by 1, 2, 3
        on conflict (domain, minute, slice) do update set counts = add_counts(c.counts, excluded.counts)
    ), b as (
        insert into cohort_bounce_domain as c (minute, lane, domain, hard_bounced)
        select x.minute, x.lane, domain_hash(x.domain), sum(x.counts[4]) from x where x.domain is not null and x.counts[4] <> 0
         group by 1, 2, 3 having sum(x.counts[4]) <> 0
        on conflict (minute, lane, domain) do update set hard_bounced = c.hard_bounced + excluded.hard_bounced
    )
    select count(*) into taken from t;
    if taken = 0 then
        update cohort_fold set folded_at = began where folded_at not between now_ms() - 900 and now_ms();
        return 0;
    end if;
    with u as (
        insert into cohort_minute as c (minute, slice, provider, %2$s)
        select x.minute, x.slice, x.provider, %3$s from cohort_feed x where x.fold = n order by 1, 2, 3
        on conflict (minute, slice, provider) do update set %5$s
        returning %6$s as emptied)
    select bool_or(u.emptied) into emptied from u;
    insert into cohort_hour as c (hour, slice, provider, %2$s)
    select x.minute / 60, x.slice, x.provider, %4$s from cohort_feed x where x.fold = n group by 1, 2, 3 order by 1, 2, 3
    on conflict (hour, slice, provider) do update set %5$s;
    insert into cohort_day as c (day, lane, provider, tenant, %2$s)
    select x.minute / 1440, (select s.lane from slice s where s.id = x.slice), x.provider,
           min((select s.tenant from slice s where s.id = x.slice)), %4$s
      from cohort_feed x where x.fold = n
     group by 1, 2, 3 order by 1, 2, 3
    on conflict (day, lane, provider) do update set %5$s;
    insert into cohort_slice as c (slice, provider, first_minute, last_minute, %2$s)
    select x.slice, x.provider, min(x.minute), max(x.minute), %4$s from cohort_feed x where x.fold = n group by 1, 2 order by 1, 2
    on conflict (slice, provider) do update
    set first_minute = least(c.first_minute, excluded.first_minute), last_minute = greatest(c.last_minute, excluded.last_minute), %5$s;
    if emptied or exists (select from cohort_feed x where x.fold = n and 0 > any (x.counts)) then
        perform delete_empty_cohorts(n);
    end if;
    update cohort_fold set fold = n, folded_at = case when taken < most then began else folded_at end;
    return taken;
end $$
$f$, each_sum, columns, each_count, each_column, each_new, all_null);

    -- Compares hours, days and whole lives with the sums of the minutes from `low` to before `high`, which begin and end with a day.
    -- Returns how many rows differ; unless `only_check`, they are written again.
    execute format($f$
create function resum_cohorts(low int, high int, only_check boolean) returns int language plpgsql security definer
set search_path = pg_catalog, mailcordon, pg_temp as $$
declare
    different int := 0;
    n int;
begin
    if low is null or high is null or only_check is null or low %% 1440 <> 0 or high %% 1440 <> 0 or not high - low between 0 and 1440 * 40 then
        raise exception 'resum_cohorts: an argument is missing or out of bounds' using errcode = 'invalid_parameter_value';
    end if;
    perform hold_cohort_fold();
    select count(*) into n
      from (select c.minute / 60 as hour, c.slice, c.provider, array[%2$s] as counts from cohort_minute c
             where c.minute >= low and c.minute < high group by 1, 2, 3) w
      full join (select c.hour, c.slice, c.provider, array[%1$s] as counts from cohort_hour c where c.hour >= low / 60 and c.hour < high / 60) h
           using (hour, slice, provider)
     where coalesce(w.counts, array_fill(null::int, array[%3$s])) is distinct from coalesce(h.counts, array_fill(null::int, array[%3$s]));
    different := different + n;
    if n > 0 and not only_check then
        delete from cohort_hour where hour >= low / 60 and hour < high / 60;
        insert into cohort_hour (hour, slice, provider, %1$s)
        select c.minute / 60, c.slice, c.provider, %2$s from cohort_minute c where c.minute >= low and c.minute < high group by 1, 2, 3;
    end if;
    select count(*) into n
      from (select c.minute / 1440 as day, s.lane, c.provider, array[%2$s] as counts from cohort_minute c join slice s on s.id = c.slice
             where c.minute >= low and c.minute < high group by 1, 2, 3) w
      full join (select c.day, c.lane, c.provider, array[%1$s] as counts from cohort_day c where c.day >= low / 1440 and c.day < high / 1440) h
           using (day, lane, provider)
     where coalesce(w.counts, array_fill(null::int, array[%3$s])) is distinct from coalesce(h.counts, array_fill(null::int, array[%3$s]));
    different := different + n;
    if n > 0 and not only_check then
        delete from cohort_day where day >= low / 1440 and day < high / 1440;
        insert into cohort_day (day, lane, provider, tenant, %1$s)
        select c.minute / 1440, s.lane, c.provider, min(s.tenant), %2$s from cohort_minute c join slice s on s.id = c.slice
         where c.minute >= low and c.minute < high group by 1, 2, 3;
    end if;
    return different;
end $$
$f$, columns, replace(each_column_of_table, 'x.', 'c.'), cardinality(names));

    -- The same for the whole lives of slices that began at `low` or later.
    execute format($f$
create function resum_slices(low int, only_check boolean) returns int language plpgsql security definer
set search_path = pg_catalog, mailcordon, pg_temp as $$
declare
    n int;
begin
    if low is null or only_check is null then
        raise exception 'resum_slices: an argument is missing or out of bounds' using errcode = 'invalid_parameter_value';
    end if;
    perform hold_cohort_fold();
    select count(*) into n
      from (select c.slice, c.provider, array[%2$s] as counts from cohort_minute c join slice s on s.id = c.slice and s.first_minute >= low
             group by 1, 2) w
      full join (select c.slice, c.provider, array[%1$s] as counts from cohort_slice c join slice s on s.id = c.slice and s.first_minute >= low) h
           using (slice, provider)
     where coalesce(w.counts, array_fill(null::int, array[%3$s])) is distinct from coalesce(h.counts, array_fill(null::int, array[%3$s]));
    if n > 0 and not only_check then
        delete from cohort_slice c using slice s where s.id = c.slice and s.first_minute >= low;
        insert into cohort_slice (slice, provider, first_minute, last_minute, %1$s)
        select c.slice, c.provider, min(c.minute), max(c.minute), %2$s
          from cohort_minute c join slice s on s.id = c.slice and s.first_minute >= low group by 1, 2;
    end if;
    return n;
end $$
$f$, columns, replace(each_column_of_table, 'x.', 'c.'), cardinality(names));
end $do$;

-- Deletes slices, with the sums of their lives, that had no mail for `idle` minutes, at most `most`. Those of at least 100 mails stay
-- until `idle_large`. Their minutes and hours are gone by then. Returns how many. No fold looks them up meanwhile.
create function purge_slices(idle int, idle_large int, most int) returns int language plpgsql security definer
set search_path = pg_catalog, mailcordon, pg_temp as $$
declare
    n int;
    now_minute int := owner_now_ms() / 60000;
begin
    if idle is null or idle < 1440 or idle_large is null or idle_large < idle or most is null or not most between 1 and 10000 then
        raise exception 'purge_slices: an argument is missing or out of bounds' using errcode = 'invalid_parameter_value';
    end if;
    perform hold_cohort_fold();
    with old as materialized (
        select s.id from slice s
          left join lateral (select max(c.last_minute) as last_minute, sum(c.sent) as sent from cohort_slice c where c.slice = s.id) c on true
         where s.first_minute < now_minute - idle and coalesce(c.last_minute, s.first_minute) < now_minute - idle
           and (coalesce(c.sent, 0) < 100 or c.last_minute < now_minute - idle_large)
           and not exists (select from cohort_unknown u where u.slice = s.id)
         limit most
    ), sums as (
        delete from cohort_slice c using old where c.slice = old.id
    )
    delete from slice s using old where s.id = old.id;
    get diagnostics n = row_count;
    return n;
end $$;

-- Writing changes ----------------------------------------------------------------------------------------------------------------

-- Whoever ends a delivery that was called, and whoever stores the first event of one that has no ledger row yet, do so one after the
-- other: the second sees what the first wrote, and exactly one of them counts it as sent. Few locks for any number of deliveries.
create function lock_deliveries(ids bigint[]) returns void language plpgsql
set search_path = pg_catalog, mailcordon, pg_temp as $$
begin
    perform pg_advisory_xact_lock(28016, b.bucket)
       from (select distinct hashint8(x) & 255 as bucket from unnest(ids) x order by 1) b;
end $$;

-- What the ledger says of deliveries while nobody else may end them.
create function ledger_locked(ids bigint[]) returns table (id bigint, state smallint, called_at bigint) language plpgsql
set search_path = pg_catalog, mailcordon, pg_temp set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off as $$
#variable_conflict use_column
declare
    low bigint;
    high bigint;
begin
    perform lock_deliveries(ids);
    select min(x), max(x) into low, high from unnest(ids) x;
    return query select x.id, l.state, l.called_at from unnest(ids) x (id)
                  cross join lateral (select e.state, e.called_at from ledger e where e.id = x.id and e.id between low and high limit 1) l;
end $$;

-- The domain of an address as it was accepted; null for one that was erased.
create function domain_of(address text) returns text language sql immutable
    return nullif(lower(substring(address from '@([^@]+)$')), '');

-- Counts deliveries that this transaction has written to the ledger and that SES was called for:
--   SES has reported something      sent, in the minute of the earliest call that it reported
--   else, SES took it               sent, in the minute of its call
--   else, no clear answer           unclear, until SES reports something
create function count_finished(ids bigint[]) returns void language plpgsql
set search_path = pg_catalog, mailcordon, pg_temp set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off as $$
declare
    low bigint;
    high bigint;
begin
    perform lock_deliveries(ids);
    select min(x) & -64, max(x) into low, high from unnest(ids) x;
    insert into cohort_change (tenant, lane, minute, path, campaign, list, provider, domain, counts)
    select e.tenant, e.lane, e.minute, m.path, m.campaign, m.list, e.provider,
           case when e.provider = -1 then domain_of(m.recipients[(x & 63)::int]) end as domain,
           case when e.is_sent then array[count(*)::int] else array_append(array_fill(0, array[13]), count(*)::int) end
      from unnest(ids) x
     cross join lateral (
           select l.tenant, l.lane, coalesce(o.provider, l.provider) as provider, (coalesce(o.left_at, l.called_at) / 60000)::int as minute,
                  o.id is not null or l.state = 20 as is_sent
             from ledger l
             left join lateral (select t.id, t.left_at, t.provider from outcome t where t.id = x and t.id between low and high limit 1) o
               on true
            where l.id = x and l.id between low and high
              and (o.id is not null or l.state in (13, 20, 28) and l.called_at is not null)
            limit 1) e
     cross join lateral (
           select t.path, t.campaign, t.list, t.recipients from message t where t.id = (x & -64) and t.id between low and high limit 1) m
     group by e.tenant, e.lane, e.minute, m.path, m.campaign, m.list, e.provider, 8, e.is_sent;
end $$;

-- As before (0005), and counts what SES was called for.
create or replace function queue_finish(lanes int[], ids bigint[], attempts smallint[], places int, states smallint[], ses_ids text[],
                             called_ats bigint[], reasons text[], details text[], node int)
returns table (lane int, id bigint) language plpgsql
set search_path = pg_catalog, mailcordon, pg_temp set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off as $$
#variable_conflict use_column
declare
    low bigint;
    high bigint;
    of_lanes int[] := '{}';
    of_ids bigint[] := '{}';
    more_lanes int[];
    more_ids bigint[];
    called bigint[] := '{}';
    more_called bigint[];
begin
    if ids is null then
        return;
    end if;
    select min(x) & -64, max(x) & -64 into low, high from unnest(ids) x;
    for look in 1 .. 2 loop
        with u as materialized (
            select * from unnest(lanes, ids, attempts, states, ses_ids, called_ats, reasons, details)
                       u (lane, id, attempt, state, ses_id, called_at, reason, detail)
             order by u.lane, u.id
        ), d as (
            delete from ready r using u
             where r.lane = u.lane and r.id = u.id and places & (1 << r.state) <> 0 and r.attempt = coalesce(u.attempt, r.attempt)
            returning r.lane, r.id, r.tenant, r.provider, r.attempt, u.state, u.ses_id,
                      coalesce(u.called_at, case r.state when 1 then r.called_at end) as called_at, u.reason, u.detail
        ), w as (
            delete from waiting r using u
             where r.lane = u.lane and r.id = u.id and places & (case r.why when 2 then 8 else 4 end) <> 0
               and r.attempt = coalesce(u.attempt, r.attempt)
            returning r.lane, r.id, r.tenant, r.provider, r.attempt, u.state, u.ses_id, coalesce(u.called_at, r.called_at) as called_at,
                      u.reason, u.detail
        ), gone as (
            select * from d union all select * from w
        ), g as (
            insert into ledger (id, tenant, lane, state, attempt, provider, ses_id, called_at, at, reason, detail)
            select id, tenant, lane, state, attempt, provider, ses_id, called_at, now_ms(), reason, detail from gone
        ), f as (
            insert into lane_finished as z (lane, node, deliveries, bytes, refused, expired, cancelled, given_up, rejected, no_outcome)
            select x.lane, queue_finish.node, count(*),
                   coalesce(sum((select m.bytes from message m where m.id = (x.id & -64) and m.id between low and high)), 0),
                   count(*) filter (where x.state = 10), count(*) filter (where x.state = 11), count(*) filter (where x.state = 12),
                   count(*) filter (where x.state = 13), count(*) filter (where x.state = 14), count(*) filter (where x.state = 28)
              from gone x group by x.lane order by x.lane
            on conflict (lane, node) do update
            set deliveries = z.deliveries + excluded.deliveries, bytes = z.bytes + excluded.bytes, refused = z.refused + excluded.refused,
                expired = z.expired + excluded.expired, cancelled = z.cancelled + excluded.cancelled,
                given_up = z.given_up + excluded.given_up, rejected = z.rejected + excluded.rejected,
                no_outcome = z.no_outcome + excluded.no_outcome
        )
        select array_agg(x.lane order by x.lane, x.id), array_agg(x.id order by x.lane, x.id), array_agg(x.id) filter (where x.attempt > 0)
          into more_lanes, more_ids, more_called from gone x;
        if more_ids is not null then
            of_lanes := of_lanes || more_lanes;
            of_ids := of_ids || more_ids;
            called := called || coalesce(more_called, '{}');
        end if;
        exit when places & 3 = 0 or places & 12 = 0 or cardinality(of_ids) >= cardinality(ids);
    end loop;
    -- After the rows, which others lock first as well.
    if called <> '{}' then
        perform count_finished(called);
    end if;
    if of_ids <> '{}' then
        perform queue_forget(of_lanes, of_ids);
    end if;
    return query select * from unnest(of_lanes, of_ids);
end $$;

alter table outcome add column reasons int not null default 0;  -- a bit for each core.bounce_reason.BounceReason of its bounces
alter table event drop constraint event_kind, add constraint event_kind check (kind between 0 and 13);

-- A partition for each day ---------------------------------------------------------------------------------------------------------
--
-- As before (0010), and for tables whose key counts minutes or hours. The name of the key's column tells which.

create function first_key_of(key text, day date) returns bigint language sql immutable set search_path = pg_catalog, mailcordon, pg_temp as $$
    select case key when 'minute' then (day - date '1970-01-01') * 1440::bigint when 'hour' then (day - date '1970-01-01') * 24::bigint
                    else first_id_of(day) end
$$;
create function day_of_key(key text, value bigint) returns date language sql immutable set search_path = pg_catalog, mailcordon, pg_temp as $$
    select case key when 'minute' then date '1970-01-01' + (value / 1440)::int when 'hour' then date '1970-01-01' + (value / 24)::int
                    else day_of(value) end
$$;

create or replace function days_in_default() returns table (parent text, day date)
language plpgsql stable security definer set search_path = pg_catalog, mailcordon, pg_temp as $$
declare d record;
begin
    for d in select * from daily_tables() loop
        return query execute format('select distinct %L, day_of_key(%L, %I) from mailcordon.%I', d.parent, d.key, d.key, d.parent || '_default');
    end loop;
end $$;

create or replace function make_partition(parent text, day date) returns boolean
language plpgsql security definer set search_path = pg_catalog, mailcordon, pg_temp set lock_timeout = '500ms' as $$
declare
    name text := parent || to_char(day, '"_p"YYYYMMDD');
    low bigint;
    high bigint;
    key text;
    waits boolean;
begin
    select d.key into key from daily_tables() d where d.parent = make_partition.parent;
    low := first_key_of(key, day);
    high := first_key_of(key, day + 1);
    if key is null or low is null or low < 0 then
        raise exception 'no partitions of % for %', parent, day using errcode = 'invalid_parameter_value';
    end if;
    if not day_is_near(day) then
        execute format('select exists (select from mailcordon.%1$I where %2$I >= %3$s and %2$I < %4$s)', parent || '_default', key, low, high)
           into waits;
        if day > owner_today() or not waits then
            raise exception 'no partitions of % for %: it is more than 31 days ahead or a year ago', parent, day
                  using errcode = 'invalid_parameter_value';
        end if;
    end if;
    perform pg_advisory_xact_lock(hashtext('mailcordon.ensure_partitions'));
    if to_regclass(format('mailcordon.%I', name)) is not null then
        return false;
    end if;
    if parent = 'message' then
        lock table mailcordon.lane in share row exclusive mode;
    end if;
    execute format('lock table mailcordon.%I in access exclusive mode', parent || '_default');
    -- Rows of mail are only ever inserted, so vacuum looks per 200,000 rows instead of per 1,000: on a fresh day it would otherwise run
    -- all the time. Content up to a page stays beside its id: a mail of a few kB in TOAST costs two rows and an index more. Counts
    -- are updated in place for minutes after they were inserted, and need room for that.
    execute format('create table mailcordon.%I (like mailcordon.%I including all) with (%s)', name, parent,
        case when key in ('minute', 'hour') then 'fillfactor = 80'
             else 'autovacuum_vacuum_insert_threshold = 200000, autovacuum_analyze_threshold = 50000'
                  || case parent when 'content' then ', toast_tuple_target = 8160' else '' end end);
    execute format('with gone as (delete from mailcordon.%1$I where %2$I >= %3$s and %2$I < %4$s returning *)
                    insert into mailcordon.%5$I select * from gone', parent || '_default', key, low, high, name);
    execute format('alter table mailcordon.%I attach partition mailcordon.%I for values from (%s) to (%s)', parent, name, low, high);
    return true;
end $$;

create or replace function drop_day(parent text, day date) returns boolean
language plpgsql security definer set search_path = pg_catalog, mailcordon, pg_temp set lock_timeout = '500ms' as $$
declare
    low bigint;
    high bigint;
    key text;
begin
    select d.key into key from daily_tables() d where d.parent = drop_day.parent;
    if key is null then
        raise exception '% has no partitions', parent using errcode = 'invalid_parameter_value';
    end if;
    low := first_key_of(key, day);
    high := first_key_of(key, day + 1);
    if key in ('minute', 'hour') then
        if day is null or day >= owner_today() - 2 then
            raise exception 'counts of % may still change', day using errcode = 'invalid_parameter_value';
        end if;
    else
        if high is null or high > first_id_at(owner_now_ms() - 86400000 - (select coalesce(max(expiry_ms), 0) from lane)) then
            raise exception 'mail of % may not have expired yet', day using errcode = 'invalid_parameter_value';
        end if;
        -- One statement, so one snapshot: a delivery that moves between the queues is seen in one of them. By lane, since the keys
        -- begin with it.
        if exists (
            select from lane l
            where exists (select from ready r where r.lane = l.id and r.id >= low and r.id < high)
               or exists (select from waiting w where w.lane = l.id and w.id >= low and w.id < high)
        ) then
            return false;
        end if;
    end if;
    perform pg_advisory_xact_lock(hashtext('mailcordon.ensure_partitions'));
    execute format('drop table if exists mailcordon.%I', parent || to_char(day, '"_p"YYYYMMDD'));
    execute format('delete from mailcordon.%1$I where %2$I >= %3$s and %2$I < %4$s', parent || '_default', key, low, high);
    return true;
end $$;

revoke all on function first_key_of(text, date), day_of_key(text, bigint) from public;
grant execute on function first_key_of(text, date), day_of_key(text, bigint) to {{control}};

-- Rights -------------------------------------------------------------------------------------------------------------------------

revoke all on function purge_slices(int, int, int), fold_cohorts(int), delete_empty_cohorts(bigint), hold_cohort_fold(), resum_cohorts(int, int, boolean), resum_slices(int, boolean), domain_hash(text), domain_of(text), lock_deliveries(bigint[]),
    ledger_locked(bigint[]), count_finished(bigint[]) from public;
grant execute on function fold_cohorts(int) to {{control}}, {{observe}};
grant execute on function purge_slices(int, int, int), hold_cohort_fold(), resum_cohorts(int, int, boolean), resum_slices(int, boolean) to {{control}};
grant execute on function domain_hash(text), domain_of(text) to {{control}}, {{governor}}, {{send}}, {{observe}}, {{reader}};
grant execute on function lock_deliveries(bigint[]), count_finished(bigint[]) to {{control}}, {{send}}, {{governor}}, {{observe}};
grant execute on function ledger_locked(bigint[]) to {{observe}};

grant insert on cohort_change to {{control}}, {{governor}}, {{send}}, {{observe}};
grant select on slice, cohort_change, cohort_minute, cohort_hour, cohort_day, cohort_slice, cohort_bounce_domain, cohort_feed, cohort_fold
    to {{control}}, {{governor}}, {{send}}, {{observe}};
grant delete on cohort_day, cohort_bounce_domain, cohort_feed to {{control}};
grant select on slice, cohort_minute, cohort_hour, cohort_day, cohort_slice to {{reader}};
do $$
declare t text; own text := 'tenant = nullif(current_setting(''mailcordon.tenant'', true), '''')::int';
begin
    foreach t in array array['slice', 'cohort_day', 'cohort_minute', 'cohort_hour', 'cohort_slice'] loop
        execute format('alter table %I enable row level security', t);
        execute format('create policy planes on %I to {{control}}, {{governor}}, {{send}}, {{observe}} using (true) with check (true)', t);
        execute format('create policy own_tenant on %I for select to {{reader}} using (%s)', t,
            case when t in ('slice', 'cohort_day') then own else format('slice in (select s.id from slice s where s.%s)', own) end);
    end loop;
end $$;

-- What was counted so far: by SES's Send events, and without campaigns and lists ---------------------------------------------------

insert into slice (tenant, lane, path, first_minute)
select min(m.tenant), m.lane, coalesce((select r.path from route r where r.lane = m.lane order by r.share desc, r.path limit 1), 'isolated'),
       min(m.minute)
  from metric_minute m group by m.lane order by m.lane;

-- The partitions that message has, and those of the days that are kept.
select make_partition(t.parent, d.day)
  from (select to_date(right(c.relname, 8), 'YYYYMMDD') as day
          from pg_inherits i join pg_class c on c.oid = i.inhrelid
         where i.inhparent = 'message'::regclass and c.relname ~ '_p[0-9]{8}$'
           and to_date(right(c.relname, 8), 'YYYYMMDD') >= owner_today() - 1
        union
        select distinct day_of_key('minute', m.minute) from metric_minute m
         where m.minute >= first_key_of('minute', owner_today() - 90) and m.minute < first_key_of('minute', owner_today() + 1)) d
 cross join (values ('cohort_minute', 14), ('cohort_hour', 90)) t (parent, days)
 where d.day >= owner_today() - t.days and d.day <= owner_today() + 31
 order by d.day, t.parent;

do $$
declare
    t record;
    columns text := 'sent, send_events, delivered, hard_bounced, soft_bounced, complained, delayed, rejected, suppressed_at_ses, opened, clicked';
    sums text;
begin
    select string_agg(format('nullif(sum(m.%I), 0)', case name when 'send_events' then 'sent' else name end), ', ' order by n)
      into sums from unnest(string_to_array(columns, ', ')) with ordinality u (name, n);
    for t in values ('cohort_minute', 'minute, slice, provider', 'm.minute, s.id, m.provider', 14),
                    ('cohort_hour', 'hour, slice, provider', 'm.minute / 60, s.id, m.provider', 90),
                    ('cohort_day', 'day, lane, provider, tenant', 'm.minute / 1440, m.lane, m.provider, m.tenant', 1096)
    loop
        execute format('insert into %I (%s, %s) select %s, %s from metric_minute m join slice s on s.lane = m.lane
                         where m.minute >= first_key_of(''minute'', owner_today() - %s) group by %4$s',
                       t.column1, t.column2, columns, t.column3, sums, t.column4);
    end loop;
    execute format('insert into cohort_slice (slice, provider, first_minute, last_minute, %s)
                    select s.id, m.provider, min(m.minute), max(m.minute), %s from metric_minute m join slice s on s.lane = m.lane
                     group by s.id, m.provider', columns, sums);
end $$;
drop table metric_minute;
