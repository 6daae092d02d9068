-- Sums of the cohorts for questions about all tenants: whole lanes, and the whole fleet by message type and mailbox provider, in
-- buckets of several sizes (docs/decisions/038-rates.md). A question about 20,000 lanes reads some hundred thousand rows of these,
-- not millions of cohorts. They follow the cohorts in the transaction of each fold, by what it writes to `cohort_feed`.

-- Mailbox providers that report no complaints, from a minute on. Mail to them is left out of complaint rates. Gmail shows
-- aggregated rates in Postmaster Tools only (ses.md 8.2). Another one is added by hand, from a day on that begins later.
create table complaint_silence (
    provider smallint primary key,                          -- core.provider.Provider
    from_minute int not null                                -- minutes since 1970, the beginning of a day
);
insert into complaint_silence values (1, 0);

-- A bucket is `span` minutes from `minute` on: 10, 60, 360, 1,440 (a day), 10,080 (a week) or 40,320.
create table cohort_lane (
    span int not null,
    minute int not null,
    lane int not null,
    isolated boolean not null,                              -- the route's path
    tenant int not null,
    sent int, send_events int, delivered int, hard_bounced int, soft_bounced int, complained int, delayed int, rejected int,
    suppressed_at_ses int, opened int, clicked int, machine_opened int, machine_clicked int, unclear int, recipient_gone int,
    recipient_full int, sender_reputation int, sender_auth int, content int, throttled int, policy int, infrastructure int,
    undetermined int, silent_sent int, silent_complained int,
    primary key (span, minute, lane, isolated)
) partition by list (span);
create table cohort_lane_ten partition of cohort_lane for values in (10) with (fillfactor = 70);
create table cohort_lane_hour partition of cohort_lane for values in (60) with (fillfactor = 80);
create table cohort_lane_quarter partition of cohort_lane for values in (360) with (fillfactor = 80);
create table cohort_lane_day partition of cohort_lane for values in (1440) with (fillfactor = 80);
create table cohort_lane_week partition of cohort_lane for values in (10080) with (fillfactor = 80);
create table cohort_lane_month partition of cohort_lane for values in (40320) with (fillfactor = 80);

-- As before (0010), without tables whose partitions are no ranges of time.
create or replace function daily_tables() returns table (parent text, key text)
language sql stable set search_path = pg_catalog, mailcordon, pg_temp as $$
    select c.relname::text, a.attname::text
    from pg_partitioned_table p
    join pg_class c on c.oid = p.partrelid and c.relnamespace = 'mailcordon'::regnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum = p.partattrs[0]
    where p.partstrat = 'r'
    order by c.relname
$$;

-- Buckets of 1, 60 and 1,440 minutes.
create table cohort_fleet (
    span int not null,
    minute int not null,
    type smallint not null,
    provider smallint not null,
    sent int, send_events int, delivered int, hard_bounced int, soft_bounced int, complained int, delayed int, rejected int,
    suppressed_at_ses int, opened int, clicked int, machine_opened int, machine_clicked int, unclear int, recipient_gone int,
    recipient_full int, sender_reputation int, sender_auth int, content int, throttled int, policy int, infrastructure int,
    undetermined int, silent_sent int, silent_complained int,
    primary key (span, minute, type, provider)
) with (fillfactor = 70);

create function add_cohort_sums() returns trigger language plpgsql security definer
set search_path = pg_catalog, mailcordon, pg_temp as $$
begin
    insert into cohort_lane as t (span, minute, lane, isolated, tenant,
    sent, send_events, delivered, hard_bounced, soft_bounced, complained, delayed, rejected, suppressed_at_ses, opened, clicked,
    machine_opened, machine_clicked, unclear, recipient_gone, recipient_full, sender_reputation, sender_auth, content,
    throttled, policy, infrastructure, undetermined, silent_sent, silent_complained)
    select b.span, n.minute - n.minute % b.span, s.lane, s.path = 'isolated', s.tenant,
           nullif(sum(n.counts[1]), 0), nullif(sum(n.counts[2]), 0), nullif(sum(n.counts[3]), 0), nullif(sum(n.counts[4]), 0),
           nullif(sum(n.counts[5]), 0), nullif(sum(n.counts[6]), 0), nullif(sum(n.counts[7]), 0), nullif(sum(n.counts[8]), 0),
           nullif(sum(n.counts[9]), 0), nullif(sum(n.counts[10]), 0), nullif(sum(n.counts[11]), 0), nullif(sum(n.counts[12]),
           0), nullif(sum(n.counts[13]), 0), nullif(sum(n.counts[14]), 0), nullif(sum(n.counts[15]), 0),
           nullif(sum(n.counts[16]), 0), nullif(sum(n.counts[17]), 0), nullif(sum(n.counts[18]), 0), nullif(sum(n.counts[19]),
           0), nullif(sum(n.counts[20]), 0), nullif(sum(n.counts[21]), 0), nullif(sum(n.counts[22]), 0),
           nullif(sum(n.counts[23]), 0),
           nullif(sum(n.counts[1]) filter (where n.minute >= q.from_minute), 0),
           nullif(sum(n.counts[6]) filter (where n.minute >= q.from_minute), 0)
      from folded n
      join slice s on s.id = n.slice
      left join complaint_silence q on q.provider = n.provider
     cross join (values (10), (60), (360), (1440), (10080), (40320)) b (span)
     where b.span >= 1440 or n.minute >= now_ms() / 60000 - case b.span when 10 then 2880 else 20160 end
     group by 1, 2, 3, 4, 5
    on conflict (span, minute, lane, isolated) do update set
        sent = nullif(coalesce(t.sent, 0) + coalesce(excluded.sent, 0), 0),
        send_events = nullif(coalesce(t.send_events, 0) + coalesce(excluded.send_events, 0), 0),
        delivered = nullif(coalesce(t.delivered, 0) + coalesce(excluded.delivered, 0), 0),
        hard_bounced = nullif(coalesce(t.hard_bounced, 0) + coalesce(excluded.hard_bounced, 0), 0),
        soft_bounced = nullif(coalesce(t.soft_bounced, 0) + coalesce(excluded.soft_bounced, 0), 0),
        complained = nullif(coalesce(t.complained, 0) + coalesce(excluded.complained, 0), 0),
        delayed = nullif(coalesce(t.delayed, 0) + coalesce(excluded.delayed, 0), 0),
        rejected = nullif(coalesce(t.rejected, 0) + coalesce(excluded.rejected, 0), 0),
        suppressed_at_ses = nullif(coalesce(t.suppressed_at_ses, 0) + coalesce(excluded.suppressed_at_ses, 0), 0),
        opened = nullif(coalesce(t.opened, 0) + coalesce(excluded.opened, 0), 0),
        clicked = nullif(coalesce(t.clicked, 0) + coalesce(excluded.clicked, 0), 0),
        machine_opened = nullif(coalesce(t.machine_opened, 0) + coalesce(excluded.machine_opened, 0), 0),
        machine_clicked = nullif(coalesce(t.machine_clicked, 0) + coalesce(excluded.machine_clicked, 0), 0),
        unclear = nullif(coalesce(t.unclear, 0) + coalesce(excluded.unclear, 0), 0),
        recipient_gone = nullif(coalesce(t.recipient_gone, 0) + coalesce(excluded.recipient_gone, 0), 0),
        recipient_full = nullif(coalesce(t.recipient_full, 0) + coalesce(excluded.recipient_full, 0), 0),
        sender_reputation = nullif(coalesce(t.sender_reputation, 0) + coalesce(excluded.sender_reputation, 0), 0),
        sender_auth = nullif(coalesce(t.sender_auth, 0) + coalesce(excluded.sender_auth, 0), 0),
        content = nullif(coalesce(t.content, 0) + coalesce(excluded.content, 0), 0),
        throttled = nullif(coalesce(t.throttled, 0) + coalesce(excluded.throttled, 0), 0),
        policy = nullif(coalesce(t.policy, 0) + coalesce(excluded.policy, 0), 0),
        infrastructure = nullif(coalesce(t.infrastructure, 0) + coalesce(excluded.infrastructure, 0), 0),
        undetermined = nullif(coalesce(t.undetermined, 0) + coalesce(excluded.undetermined, 0), 0),
        silent_sent = nullif(coalesce(t.silent_sent, 0) + coalesce(excluded.silent_sent, 0), 0),
        silent_complained = nullif(coalesce(t.silent_complained, 0) + coalesce(excluded.silent_complained, 0), 0);

    insert into cohort_fleet as t (span, minute, type, provider,
    sent, send_events, delivered, hard_bounced, soft_bounced, complained, delayed, rejected, suppressed_at_ses, opened, clicked,
    machine_opened, machine_clicked, unclear, recipient_gone, recipient_full, sender_reputation, sender_auth, content,
    throttled, policy, infrastructure, undetermined, silent_sent, silent_complained)
    select b.span, n.minute - n.minute % b.span, l.type, n.provider,
           nullif(sum(n.counts[1]), 0), nullif(sum(n.counts[2]), 0), nullif(sum(n.counts[3]), 0), nullif(sum(n.counts[4]), 0),
           nullif(sum(n.counts[5]), 0), nullif(sum(n.counts[6]), 0), nullif(sum(n.counts[7]), 0), nullif(sum(n.counts[8]), 0),
           nullif(sum(n.counts[9]), 0), nullif(sum(n.counts[10]), 0), nullif(sum(n.counts[11]), 0), nullif(sum(n.counts[12]),
           0), nullif(sum(n.counts[13]), 0), nullif(sum(n.counts[14]), 0), nullif(sum(n.counts[15]), 0),
           nullif(sum(n.counts[16]), 0), nullif(sum(n.counts[17]), 0), nullif(sum(n.counts[18]), 0), nullif(sum(n.counts[19]),
           0), nullif(sum(n.counts[20]), 0), nullif(sum(n.counts[21]), 0), nullif(sum(n.counts[22]), 0),
           nullif(sum(n.counts[23]), 0),
           nullif(sum(n.counts[1]) filter (where n.minute >= q.from_minute), 0),
           nullif(sum(n.counts[6]) filter (where n.minute >= q.from_minute), 0)
      from folded n
      join slice s on s.id = n.slice
      join lane l on l.id = s.lane
      left join complaint_silence q on q.provider = n.provider
     cross join (values (1), (60), (1440)) b (span)
     where b.span >= 60 or n.minute >= now_ms() / 60000 - 2880
     group by 1, 2, 3, 4
    on conflict (span, minute, type, provider) do update set
        sent = nullif(coalesce(t.sent, 0) + coalesce(excluded.sent, 0), 0),
        send_events = nullif(coalesce(t.send_events, 0) + coalesce(excluded.send_events, 0), 0),
        delivered = nullif(coalesce(t.delivered, 0) + coalesce(excluded.delivered, 0), 0),
        hard_bounced = nullif(coalesce(t.hard_bounced, 0) + coalesce(excluded.hard_bounced, 0), 0),
        soft_bounced = nullif(coalesce(t.soft_bounced, 0) + coalesce(excluded.soft_bounced, 0), 0),
        complained = nullif(coalesce(t.complained, 0) + coalesce(excluded.complained, 0), 0),
        delayed = nullif(coalesce(t.delayed, 0) + coalesce(excluded.delayed, 0), 0),
        rejected = nullif(coalesce(t.rejected, 0) + coalesce(excluded.rejected, 0), 0),
        suppressed_at_ses = nullif(coalesce(t.suppressed_at_ses, 0) + coalesce(excluded.suppressed_at_ses, 0), 0),
        opened = nullif(coalesce(t.opened, 0) + coalesce(excluded.opened, 0), 0),
        clicked = nullif(coalesce(t.clicked, 0) + coalesce(excluded.clicked, 0), 0),
        machine_opened = nullif(coalesce(t.machine_opened, 0) + coalesce(excluded.machine_opened, 0), 0),
        machine_clicked = nullif(coalesce(t.machine_clicked, 0) + coalesce(excluded.machine_clicked, 0), 0),
        unclear = nullif(coalesce(t.unclear, 0) + coalesce(excluded.unclear, 0), 0),
        recipient_gone = nullif(coalesce(t.recipient_gone, 0) + coalesce(excluded.recipient_gone, 0), 0),
        recipient_full = nullif(coalesce(t.recipient_full, 0) + coalesce(excluded.recipient_full, 0), 0),
        sender_reputation = nullif(coalesce(t.sender_reputation, 0) + coalesce(excluded.sender_reputation, 0), 0),
        sender_auth = nullif(coalesce(t.sender_auth, 0) + coalesce(excluded.sender_auth, 0), 0),
        content = nullif(coalesce(t.content, 0) + coalesce(excluded.content, 0), 0),
        throttled = nullif(coalesce(t.throttled, 0) + coalesce(excluded.throttled, 0), 0),
        policy = nullif(coalesce(t.policy, 0) + coalesce(excluded.policy, 0), 0),
        infrastructure = nullif(coalesce(t.infrastructure, 0) + coalesce(excluded.infrastructure, 0), 0),
        undetermined = nullif(coalesce(t.undetermined, 0) + coalesce(excluded.undetermined, 0), 0),
        silent_sent = nullif(coalesce(t.silent_sent, 0) + coalesce(excluded.silent_sent, 0), 0),
        silent_complained = nullif(coalesce(t.silent_complained, 0) + coalesce(excluded.silent_complained, 0), 0);
    return null;
end $$;
create trigger cohort_sums after insert on cohort_feed referencing new table as folded
    for each statement execute function add_cohort_sums();

-- Computes the sums again from the cohorts by minute and by hour, from the day of `since` (a minute since 1970) on, as far back as
-- these are kept. For what was counted before there were sums, and for cohorts that were written without a fold.
create function rebuild_cohort_sums(since int) returns void language plpgsql security definer
set search_path = pg_catalog, mailcordon, pg_temp set work_mem = '128MB' as $do$
declare
    names text[] := array[
        'sent', 'send_events', 'delivered', 'hard_bounced', 'soft_bounced', 'complained', 'delayed', 'rejected',
        'suppressed_at_ses', 'opened', 'clicked', 'machine_opened', 'machine_clicked', 'unclear', 'recipient_gone',
        'recipient_full', 'sender_reputation', 'sender_auth', 'content', 'throttled', 'policy', 'infrastructure', 'undetermined'];
    recent constant int := now_ms() / 60000;
    oldest constant int := greatest(since, coalesce((select min(hour) * 60 from cohort_hour), 0));
    start constant int := oldest - oldest % 1440;
    columns text;
    sums text;
    silent constant text := 'silent_sent, silent_complained';
    level record;
begin
    select string_agg(name, ', ' order by n), string_agg(format('nullif(sum(c.%I), 0)', name), ', ' order by n)
      into columns, sums from unnest(names) with ordinality u (name, n);
    if since is null then
        raise exception 'rebuild_cohort_sums: an argument is missing or out of bounds' using errcode = 'invalid_parameter_value';
    end if;
    perform hold_cohort_fold();
    delete from cohort_lane where span <= 1440 and minute >= start;
    delete from cohort_lane where span > 1440 and minute >= start - start % span;
    delete from cohort_fleet where minute >= start;
    -- From the cohorts themselves. The smallest buckets are kept for two days.
    for level in select * from (values ('cohort_minute', 'minute', 1, 10, 1, greatest(start, recent - 2880)),
                                       ('cohort_hour', 'hour', 60, 60, 60, start)) v (source, key, unit, of_lane, of_fleet, first)
    loop
        execute format($f$
            insert into cohort_lane (span, minute, lane, isolated, tenant, %1$s, %2$s)
            select %3$s, c.%4$I * %5$s - c.%4$I * %5$s %% %3$s, s.lane, s.path = 'isolated', s.tenant, %6$s,
                   nullif(sum(c.sent) filter (where c.%4$I * %5$s >= q.from_minute), 0),
                   nullif(sum(c.complained) filter (where c.%4$I * %5$s >= q.from_minute), 0)
              from %7$I c
              join slice s on s.id = c.slice
              left join complaint_silence q on q.provider = c.provider
             where c.%4$I >= %8$s group by 2, 3, 4, 5 order by 2, 3, 4 $f$,
            columns, silent, level.of_lane, level.key, level.unit, sums, level.source, level.first / level.unit);
        execute format($f$
            insert into cohort_fleet (span, minute, type, provider, %1$s, %2$s)
            select %3$s, c.%4$I * %5$s, l.type, c.provider, %6$s,
                   nullif(sum(c.sent) filter (where c.%4$I * %5$s >= q.from_minute), 0),
                   nullif(sum(c.complained) filter (where c.%4$I * %5$s >= q.from_minute), 0)
              from %7$I c
              join slice s on s.id = c.slice
              join lane l on l.id = s.lane
              left join complaint_silence q on q.provider = c.provider
             where c.%4$I >= %8$s group by 2, 3, 4 order by 2, 3, 4 $f$,
            columns, silent, level.of_fleet, level.key, level.unit, sums, level.source, level.first / level.unit);
    end loop;
    -- The larger ones from the smaller ones.
    sums := sums || ', nullif(sum(c.silent_sent), 0), nullif(sum(c.silent_complained), 0)';
    for level in select * from (values (60, 360), (360, 1440), (1440, 10080), (10080, 40320)) v (part, span) loop
        execute format($f$
            insert into cohort_lane (span, minute, lane, isolated, tenant, %1$s, %2$s)
            select %3$s, c.minute - c.minute %% %3$s, c.lane, c.isolated, c.tenant, %4$s
              from cohort_lane c where c.span = %5$s and c.minute >= %6$s group by 2, 3, 4, 5 order by 2, 3, 4 $f$,
            columns, silent, level.span, sums, level.part, start - start % level.span);
    end loop;
    execute format($f$
        insert into cohort_fleet (span, minute, type, provider, %1$s, %2$s)
        select 1440, c.minute - c.minute %% 1440, c.type, c.provider, %3$s
          from cohort_fleet c where c.span = 60 and c.minute >= %4$s group by 2, 3, 4 order by 2, 3, 4 $f$, columns, silent, sums, start);
    delete from cohort_lane where span in (60, 360) and minute < recent - 20160;
end $do$;
select rebuild_cohort_sums(0);

-- How many buckets of the sums are not those of the cohorts by minute and hour, from the day of `since` on, as far back as both are kept;
-- of weeks and more, those of the days and weeks in them. A fold writes all of them in one transaction, so each comparison, which is one
-- statement, sees them as they belong together, and no fold waits for it.
create function count_wrong_cohort_sums(since int) returns int language plpgsql security definer
set search_path = pg_catalog, mailcordon, pg_temp set work_mem = '128MB' as $do$
declare
    names text[] := array[
        'sent', 'send_events', 'delivered', 'hard_bounced', 'soft_bounced', 'complained', 'delayed', 'rejected',
        'suppressed_at_ses', 'opened', 'clicked', 'machine_opened', 'machine_clicked', 'unclear', 'recipient_gone',
        'recipient_full', 'sender_reputation', 'sender_auth', 'content', 'throttled', 'policy', 'infrastructure', 'undetermined'];
    recent constant int := now_ms() / 60000;
    oldest constant int := greatest(since, coalesce((select min(hour) * 60 from cohort_hour), 0));
    start constant int := oldest - oldest % 1440;
    columns text;
    sums text;
    found int := 0;
    n int;
    level record;
begin
    if since is null then
        raise exception 'count_wrong_cohort_sums: an argument is missing or out of bounds' using errcode = 'invalid_parameter_value';
    end if;
    select string_agg(format('nullif(c.%I, 0)', name), ', ' order by o), string_agg(format('nullif(sum(c.%I), 0)', name), ', ' order by o)
      into columns, sums from unnest(names) with ordinality u (name, o);
    for level in
        select v.*, case v.sums when 'cohort_lane' then 's.lane, (s.path = ''isolated'')::int' else 'l.type, c.provider' end as keys
          from (values ('cohort_lane', 10, 'minute', 1, 1440), ('cohort_lane', 60, 'hour', 60, 18720),
                       ('cohort_lane', 360, 'hour', 60, 18720), ('cohort_lane', 1440, 'hour', 60, null),
                       ('cohort_fleet', 1, 'minute', 1, 1440), ('cohort_fleet', 60, 'hour', 60, null),
                       ('cohort_fleet', 1440, 'hour', 60, null)) v (sums, span, source, unit, kept)
    loop
        execute format($f$
            select count(*)
              from (select c.%1$I * %2$s - c.%1$I * %2$s %% %3$s, %4$s, array[%5$s,
                           nullif(sum(c.sent) filter (where c.%1$I * %2$s >= q.from_minute), 0),
                           nullif(sum(c.complained) filter (where c.%1$I * %2$s >= q.from_minute), 0)]::bigint[]
                      from %6$I c
                      join slice s on s.id = c.slice
                      join lane l on l.id = s.lane
                      left join complaint_silence q on q.provider = c.provider
                     where c.%1$I >= %7$s / %2$s group by 1, 2, 3) w (minute, one, two, counts)
              full join (select c.minute, %8$s, array[%9$s, nullif(c.silent_sent, 0), nullif(c.silent_complained, 0)]::bigint[]
                           from %10$I c where c.span = %3$s and c.minute >= %7$s) h (minute, one, two, counts)
                   using (minute, one, two)
             where coalesce(w.counts, array_fill(null::bigint, array[25])) is distinct from coalesce(h.counts, array_fill(null::bigint, array[25])) $f$,
            level.source, level.unit, level.span, level.keys, sums, 'cohort_' || level.source,
            greatest(start, (recent - coalesce(level.kept, recent)) / 1440 * 1440),
            case level.sums when 'cohort_lane' then 'c.lane, c.isolated::int' else 'c.type, c.provider' end, columns, level.sums)
           into n;
        found := found + n;
    end loop;
    for level in select * from (values (1440, 10080), (10080, 40320)) v (part, span) loop
        execute format($f$
            select count(*)
              from (select c.minute - c.minute %% %1$s, c.lane, c.isolated,
                           array[%2$s, nullif(sum(c.silent_sent), 0), nullif(sum(c.silent_complained), 0)]::bigint[]
                      from cohort_lane c where c.span = %3$s and c.minute >= %4$s group by 1, 2, 3) w (minute, lane, isolated, counts)
              full join (select c.minute, c.lane, c.isolated,
                                array[%5$s, nullif(c.silent_sent, 0), nullif(c.silent_complained, 0)]::bigint[]
                           from cohort_lane c where c.span = %1$s and c.minute >= %4$s) h (minute, lane, isolated, counts)
                   using (minute, lane, isolated)
             where coalesce(w.counts, array_fill(null::bigint, array[25])) is distinct from coalesce(h.counts, array_fill(null::bigint, array[25])) $f$,
            level.span, sums, level.part, start - start % level.span, columns)
           into n;
        found := found + n;
    end loop;
    return found;
end $do$;

-- For rankings at one mailbox provider: by volume, and by what is bad, which most lanes have none of on most days.
create index cohort_day_at_provider on cohort_day (provider, day);
create index cohort_day_bad on cohort_day (provider, day)
    where hard_bounced > 0 or complained > 0 or sender_reputation > 0 or content > 0 or policy > 0;

-- How strongly a count speaks for a rate above `healthy`, in nats; below 0: for a lower one (observe/rates.py has the same, and why).
create function rate_evidence(events float8, exposure float8, healthy float8) returns float8
language sql immutable parallel safe as $$
    select case when events <= 0 or exposure <= 0 then -greatest(exposure, 0) * healthy
                else sign(events - exposure * healthy)
                     * (events * ln(events / (exposure * healthy)) - (events - exposure * healthy)) end
$$;

-- When a route last changed its sending domain or IP pool: counts by these say so, since a lane's whole window is counted under those
-- of now.
create table route_moved (
    lane int not null,
    path text not null,
    tenant int not null,
    at bigint not null,
    primary key (lane, path)
);
create function keep_route_moved() returns trigger language plpgsql security definer
set search_path = pg_catalog, mailcordon, pg_temp as $$
begin
    insert into route_moved (lane, path, tenant, at) values (new.lane, new.path, new.tenant, now_ms())
    on conflict (lane, path) do update set at = excluded.at;
    return null;
end $$;
create trigger route_moved after update on route for each row
    when (old.domain <> new.domain or old.ip_pool is distinct from new.ip_pool) execute function keep_route_moved();
revoke all on function keep_route_moved() from public;
grant select on route_moved to {{control}}, {{reader}};
alter table route_moved enable row level security;
create policy own_tenant on route_moved for select to {{reader}}
    using (tenant = nullif(current_setting('mailcordon.tenant', true), '')::int);
create policy planes on route_moved to {{control}} using (true) with check (true);

grant select, delete on cohort_lane, cohort_fleet to {{control}};
grant select on complaint_silence to {{control}}, {{reader}};
grant insert, update on complaint_silence to {{control}};
grant select on cohort_lane to {{reader}};
alter table cohort_lane enable row level security;
create policy own_tenant on cohort_lane for select to {{reader}}
    using (tenant = nullif(current_setting('mailcordon.tenant', true), '')::int);
create policy planes on cohort_lane to {{control}} using (true) with check (true);
revoke all on function rebuild_cohort_sums(int), count_wrong_cohort_sums(int), add_cohort_sums(), rate_evidence(float8, float8, float8) from public;
grant execute on function rate_evidence(float8, float8, float8) to {{control}};
grant execute on function rebuild_cohort_sums(int), count_wrong_cohort_sums(int) to {{control}};
