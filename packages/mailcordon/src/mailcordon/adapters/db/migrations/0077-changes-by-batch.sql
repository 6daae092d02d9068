-- What a batch changes of the counts is one row, whatever number of cohorts it has (docs/decisions/104).

-- Changes that are not folded yet, as those of `cohort_change`: each place of the arrays is one. Their ids are of one sequence, so
-- that both are folded in one order. Stored as it is, without compressing, up to a page.
create table cohort_batch (
    id bigint primary key default nextval('cohort_change_id_seq'),
    tenants int[] not null,
    lanes int[] not null,
    minutes int[] not null,
    paths text[] not null,
    campaigns text[] not null,
    lists text[] not null,
    providers smallint[] not null,
    domains text[] not null,
    counts text[] not null,                                 -- each an int[]
    hurry boolean not null default true                     -- whether a change is more than mail sent and delivered
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000, autovacuum_analyze_threshold = 1000000,
        toast_tuple_target = 8160);

create index cohort_batch_hurry on cohort_batch (id) where hurry;

-- The same of `delivery_time_change`.
create table delivery_time_batch (
    id bigint generated always as identity primary key,
    tenants int[] not null,
    lanes int[] not null,
    minutes int[] not null,
    providers smallint[] not null,
    paths text[] not null,
    counts text[] not null
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000, autovacuum_analyze_threshold = 1000000,
        toast_tuple_target = 8160);

do $$
declare
    names text[];
    name text;
begin
    foreach name in array array['cohort_batch', 'delivery_time_batch'] loop
        select array_agg(format('alter %I set storage external', a.attname)) into names
          from pg_attribute a where a.attrelid = name::regclass and a.attnum > 0 and a.attname not in ('id', 'hurry');
        execute format('alter table %I %s', name, array_to_string(names, ', '));
    end loop;
end $$;

-- All changes that are not folded yet, one in a row.
create view pending_change with (security_invoker) as
    select c.id, c.tenant, c.lane, c.minute, c.path, c.campaign, c.list, c.provider, c.domain, c.counts from cohort_change c
    union all
    select b.id, u.tenant, u.lane, u.minute, u.path, u.campaign, u.list, u.provider, u.domain, u.counts::int[]
      from cohort_batch b
     cross join lateral unnest(b.tenants, b.lanes, b.minutes, b.paths, b.campaigns, b.lists, b.providers, b.domains, b.counts)
           u (tenant, lane, minute, path, campaign, list, provider, domain, counts);

-- All times of delivery that are not added up yet.
create view pending_time with (security_invoker) as
    select c.id, c.tenant, c.lane, c.minute, c.provider, c.path, c.counts from delivery_time_change c
    union all
    select b.id, u.tenant, u.lane, u.minute, u.provider, u.path, u.counts::int[]
      from delivery_time_batch b
     cross join lateral unnest(b.tenants, b.lanes, b.minutes, b.providers, b.paths, b.counts) u (tenant, lane, minute, provider, path, counts);

-- Nobody reads them by anything but their ids, and plans do not depend on what is in them.
alter table cohort_change set (autovacuum_analyze_threshold = 1000000);
alter table delivery_time_change set (autovacuum_analyze_threshold = 1000000);

grant usage on sequence cohort_change_id_seq to {{send}}, {{observe}};
grant insert on cohort_batch to {{send}}, {{observe}};
grant select on cohort_batch, pending_change to {{control}}, {{governor}}, {{send}}, {{observe}};
grant insert on delivery_time_batch to {{observe}};
grant select, delete on delivery_time_batch to {{control}};
grant select on pending_time to {{control}};

-- As before (0025), of both tables: what it takes is summed before anything is looked up.
do $do$
declare
    names text[] := array['sent', 'send_events', 'delivered', 'hard_bounced', 'soft_bounced', 'complained', 'delayed', 'rejected',
        'suppressed_at_ses', 'opened', 'clicked', 'machine_opened', 'machine_clicked', 'unclear', 'recipient_gone', 'recipient_full',
        'sender_reputation', 'sender_auth', 'content', 'throttled', 'policy', 'infrastructure', 'undetermined'];
    columns text := array_to_string(names, ', ');
    each_sum text;                                          -- of the elements of `counts`
    each_count text;                                        -- the elements of `counts` as columns
    each_column text;                                       -- the same of sums over several rows
    each_new text;                                          -- what an upsert writes
    all_null text;
begin
    select string_agg(format('coalesce(sum(x.counts[%s]), 0)::int', n), ', ' order by n),
           string_agg(format('nullif(x.counts[%s], 0)', n), ', ' order by n),
           string_agg(format('nullif(sum(x.counts[%s]), 0)::int', n), ', ' order by n),
           string_agg(format('%1$I = nullif(coalesce(c.%1$I, 0) + coalesce(excluded.%1$I, 0), 0)', name), ', ' order by n),
           format('coalesce(%s) is null', string_agg(format('c.%I', name), ', ' order by n))
      into each_sum, each_count, each_column, each_new, all_null
      from unnest(names) with ordinality u (name, n);
    execute format($f$
create or replace function fold_cohorts(most int) returns int language plpgsql security definer
set search_path = pg_catalog, mailcordon, pg_temp set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off as $$
declare
    n bigint;
    began bigint;
    taken int;
    ids bigint[];
    changes cohort_change[];                                -- of each cohort and domain, summed
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
    ids := array(
        select s.id
          from (select r.id, coalesce(sum(r.changes) over (order by r.id rows between unbounded preceding and 1 preceding), 0) as before
                  from ((select c.id, 1 as changes from cohort_change c order by c.id limit most)
                        union all
                        (select b.id, cardinality(b.lanes) from cohort_batch b order by b.id limit most)) r) s
         where s.before < most);
    if ids = '{}' then
        update cohort_fold set folded_at = began where folded_at not between now_ms() - 900 and now_ms();
        return 0;
    end if;
    with t as (
        delete from cohort_change where id = any (ids)
        returning tenant, lane, minute, path, campaign, list, provider, domain, counts
    ), b as (
        delete from cohort_batch where id = any (ids)
        returning tenants, lanes, minutes, paths, campaigns, lists, providers, domains, counts
    ), x as (
        select * from t
        union all
        select u.tenant, u.lane, u.minute, u.path, u.campaign, u.list, u.provider, u.domain, u.counts::int[]
          from b cross join lateral unnest(b.tenants, b.lanes, b.minutes, b.paths, b.campaigns, b.lists, b.providers, b.domains, b.counts)
               u (tenant, lane, minute, path, campaign, list, provider, domain, counts)
    ), s as (
        select min(x.tenant) as tenant, x.lane, x.minute, x.path, x.campaign, x.list, x.provider, x.domain, array[%1$s] as counts,
               count(*) as n
          from x group by x.lane, x.minute, x.path, x.campaign, x.list, x.provider, x.domain
    )
    select array_agg((null, s.tenant, s.lane, s.minute, s.path, s.campaign, s.list, s.provider, s.domain, s.counts)::cohort_change), sum(s.n)
      into changes, taken from s;
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
                              from unnest(changes) c group by 1, 2, 3, 4) k
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
    with x as materialized (
        select t.lane, t.minute, t.counts, t.domain, t.provider,
               case when t.provider = -1 and t.domain is not null then nullif(provider_at(t.domain, t.minute), -1) end as learnt,
               coalesce((select e.id from slice e where e.lane = t.lane and e.path = t.path
                            and coalesce(e.campaign, '') = coalesce(t.campaign, '') and coalesce(e.list, '') = coalesce(t.list, '')),
                        (select e.id from slice e where e.lane = t.lane and e.path = t.path and coalesce(e.campaign, '') = '*'
                            and coalesce(e.list, '') = '')) as slice
          from unnest(changes) t
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
    )
    insert into cohort_bounce_domain as c (minute, lane, domain, hard_bounced)
    select x.minute, x.lane, domain_hash(x.domain), sum(x.counts[4]) from x where x.domain is not null and x.counts[4] <> 0
     group by 1, 2, 3 having sum(x.counts[4]) <> 0
    on conflict (minute, lane, domain) do update set hard_bounced = c.hard_bounced + excluded.hard_bounced;
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
end $do$;

-- As before (0076), with a row for what the batch changes.
create or replace function store_events(
    event_deliveries text, event_keys text, event_tenants text, event_lanes text, event_kinds text, event_attempts text, event_ats text,
    event_ses_ids text, event_details text, events int,
    ids text, tenants text, lanes text, providers text, left_ats text, states text, ats text, kinds text, attempts text, ses_ids text,
    reasons text, details text, bounce_reasons text, send_ats text, news int, versions text, outcomes int,
    queued text, queued_minutes text,
    proof_deliveries text, proof_attempts text, proof_ses_ids text, proof_ats text,
    count_tenants text, count_lanes text, count_minutes text, count_paths text, count_campaigns text, count_lists text,
    count_providers text, count_domains text, counts text,
    time_tenants text, time_lanes text, time_minutes text, time_providers text, time_paths text, times text,
    seen_sets text, seen_ats text
) returns boolean language plpgsql as $$
#variable_conflict use_column
declare
    n int;
    few bigint[];
begin
    if events > 0 then
        insert into event (delivery, key, tenant, lane, kind, attempt, at, ses_id, detail)
        select x.delivery, x.key, x.tenant, x.lane, x.kind, x.attempt, x.at, x.ses_id, x.detail::jsonb
          from unnest(event_deliveries::bigint[], event_keys::bytea[], event_tenants::int[], event_lanes::int[],
                      event_kinds::smallint[], event_attempts::smallint[], event_ats::bigint[], event_ses_ids::text[],
                      event_details::text[])
               as x (delivery, key, tenant, lane, kind, attempt, at, ses_id, detail);
    end if;
    if news > 0 then
        insert into outcome (id, tenant, lane, provider, left_at, state, at, kinds, attempt, ses_id, reason, detail, reasons, send_at)
        select * from unnest((ids::bigint[])[:news], (tenants::int[])[:news], (lanes::int[])[:news], (providers::smallint[])[:news],
                             (left_ats::bigint[])[:news], (states::smallint[])[:news], (ats::bigint[])[:news], (kinds::int[])[:news],
                             (attempts::smallint[])[:news], (ses_ids::text[])[:news], (reasons::text[])[:news], (details::text[])[:news],
                             (bounce_reasons::int[])[:news], (send_ats::bigint[])[:news]);
    end if;
    if queued is not null then
        few := queued::bigint[];
        perform lock_deliveries(few);
        if exists (
            select from unnest(few, queued_minutes::bigint[]) x (id, minute)
             cross join lateral (
                  select state, called_at from ledger
                   where id = x.id and id between few[1] and few[cardinality(few)] limit 1) l
             where l.state <> 20 or l.called_at is null or l.called_at / 60000 <> x.minute)
        then
            raise exception using errcode = 'MC001';
        end if;
    end if;
    if outcomes > news then
        few := (ids::bigint[])[news + 1:];
        select count(*) into n
          from unnest(few, versions::text[]) x (id, version)
         cross join lateral (
              select o.xmin::text as version from outcome o
               where o.id = x.id and o.id between few[1] and few[cardinality(few)] limit 1 for update) o
         where o.version = x.version;
        if n <> outcomes - news then
            raise exception using errcode = 'MC001';
        end if;
        insert into outcome as o (id, tenant, lane, provider, left_at, state, at, kinds, attempt, ses_id, reason, detail, reasons, send_at)
        select * from unnest(few, (tenants::int[])[news + 1:], (lanes::int[])[news + 1:], (providers::smallint[])[news + 1:],
                             (left_ats::bigint[])[news + 1:], (states::smallint[])[news + 1:], (ats::bigint[])[news + 1:],
                             (kinds::int[])[news + 1:], (attempts::smallint[])[news + 1:], (ses_ids::text[])[news + 1:],
                             (reasons::text[])[news + 1:], (details::text[])[news + 1:], (bounce_reasons::int[])[news + 1:],
                             (send_ats::bigint[])[news + 1:])
        on conflict (id) do update
           set provider = excluded.provider, left_at = excluded.left_at, state = excluded.state, at = excluded.at, kinds = excluded.kinds,
               attempt = excluded.attempt, ses_id = excluded.ses_id, reason = excluded.reason, detail = excluded.detail,
               reasons = excluded.reasons, send_at = excluded.send_at;
    end if;
    if proof_deliveries is not null then
        insert into send_event (delivery, attempt, ses_id, at)
        select * from unnest(proof_deliveries::bigint[], proof_attempts::smallint[], proof_ses_ids::text[], proof_ats::bigint[])
        on conflict do nothing;
    end if;
    if count_tenants is not null then
        insert into cohort_batch (tenants, lanes, minutes, paths, campaigns, lists, providers, domains, counts, hurry)
        values (count_tenants::int[], count_lanes::int[], count_minutes::int[], count_paths::text[], count_campaigns::text[],
                count_lists::text[], count_providers::smallint[], count_domains::text[], counts::text[],
                -- Beyond the third column, which is `delivered`: zeros at the end are not written.
                exists (select from unnest(counts::text[]) c where c like '%,%,%,%'));
    end if;
    if time_tenants is not null then
        insert into delivery_time_batch (tenants, lanes, minutes, providers, paths, counts)
        values (time_tenants::int[], time_lanes::int[], time_minutes::int[], time_providers::smallint[], time_paths::text[],
                times::text[]);
    end if;
    -- Rows that all observers share: last, so that their locks are short.
    if seen_sets is not null then
        insert into send_seen as s (configuration_set, called_at)
        select * from unnest(seen_sets::text[], seen_ats::bigint[])
        on conflict (configuration_set) do update set called_at = excluded.called_at where s.called_at < excluded.called_at;
    end if;
    return true;
exception when unique_violation or sqlstate 'MC001' then
    return false;  -- and all of it is undone
end $$;
