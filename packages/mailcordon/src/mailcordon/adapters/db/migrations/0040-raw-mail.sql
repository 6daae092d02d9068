-- Mail that is sent later, and an app's own tags.

alter table message
    add column tags jsonb,                                  -- the app's own: strings by key
    add column send_at bigint,                              -- the time it is scheduled for; its id has this time
    add column accepted_at bigint;                          -- of scheduled mail; else the id has it

-- Ids of scheduled mail are made by all processes for the same times, so they share one count.
create sequence scheduled_place;
grant usage on sequence scheduled_place to {{send}};

-- Mail may be scheduled for a day whose partitions are made later. Until then its rows are in the default ones, where they are no
-- fault; `ensure_partitions` moves them.
create or replace function rows_in_default(most bigint) returns table (parent text, rows bigint)
language plpgsql stable security definer set search_path = pg_catalog, mailcordon, pg_temp as $$
declare d record;
begin
    for d in select * from daily_tables() loop
        return query execute format(
            'select %1$L, count(*) from (select from mailcordon.%2$I where %3$I < %4$s or %3$I >= %5$s limit %6$s) x',
            d.parent, d.parent || '_default', d.key, first_key_of(d.key, owner_today() + 14), first_key_of(d.key, owner_today() + 32),
            least(greatest(coalesce(most, 0), 0), 100000));
    end loop;
end $$;

-- As before, for scheduled mail too, which has a later id than its acceptance, and for templates.
create or replace function erase_some(of_tenant int, most int, words text) returns int
language plpgsql security definer set search_path = pg_catalog, mailcordon, pg_temp as $$
declare
    e erasure;
    low bigint;
    high bigint;
    latest bigint;
    ids bigint[];
    messages bigint[];
    n int;
begin
    if of_tenant is null or most is null or not most between 1 and 10000 or words is null or length(words) > 200 then
        raise exception 'erase_some: an argument is missing or out of bounds' using errcode = 'invalid_parameter_value';
    end if;
    select * into e from erasure where tenant = of_tenant for update;
    if not found then
        raise exception 'no erasure of tenant % was asked for', of_tenant using errcode = 'invalid_parameter_value';
    end if;
    if not exists (select from tenant where id = of_tenant and retired_at is not null) then
        if e.done_at is null then
            raise exception 'tenant % is not retired', of_tenant using errcode = 'invalid_parameter_value';
        end if;
    elsif e.on_day is null then
        update suppression set address = 'erased', evidence = '{}', removal_waits = null
         where ctid = any (array(select ctid from suppression where tenant = of_tenant and address <> 'erased' limit most for update));
        get diagnostics n = row_count;
        if n > 0 then return n; end if;
        update address_report set address = 'erased', evidence = '{}'
         where ctid = any (array(select ctid from address_report where tenant = of_tenant and address <> 'erased' limit most for update));
        get diagnostics n = row_count;
        if n > 0 then return n; end if;
        delete from ses_unlisting where ctid = any (array(select ctid from ses_unlisting where tenant = of_tenant limit most for update));
        get diagnostics n = row_count;
        if n > 0 then return n; end if;
        -- SES's lists went with the SES tenants.
        delete from ses_entry where ctid = any (array(select ctid from ses_entry where tenant = of_tenant limit most for update));
        get diagnostics n = row_count;
        if n > 0 then return n; end if;
        if exists (select from quarantine where tenant = of_tenant) then
            perform from quarantine_kind order by why for update;
            with gone as (
                delete from quarantine where id = any (array(select id from quarantine where tenant = of_tenant limit most))
                returning why, bytes
            )
            update quarantine_kind k set entries = greatest(0, k.entries - g.entries), bytes = greatest(0, k.bytes - g.bytes)
              from (select why, count(*) as entries, sum(bytes) as bytes from gone group by why) g where k.why = g.why;
            return 1;
        end if;
        delete from template_version where tenant = of_tenant;   -- from 0043-templates.sql on
        delete from template where tenant = of_tenant;
        update stop set said = '' where tenant = of_tenant and said <> '';
        perform audit_erase_personal(of_tenant);
    end if;
    if e.on_day is null then
        e.on_day := (select (created_at at time zone 'UTC')::date - 1 from tenant where id = of_tenant);
        e.after_hash := ''; e.after_id := 0; e.deliveries := 0;
    end if;
    latest := e.before_id + (31 * 86400000::bigint << 22);  -- of mail that was scheduled before
    loop
        low := greatest(first_id_of(e.on_day), 0);
        high := least(first_id_of(e.on_day + 1), latest);
        exit when low >= latest;
        -- By its lanes: the key of `recipient` begins with the hash (0030-search.sql).
        select array_agg(m.id + r.n order by m.id + r.n) into ids
          from (select m.id, m.recipients from lane l cross join lateral (
                    select id, recipients from message
                     where lane = l.id and id >= greatest(low, e.after_id & ~63::bigint) and id < high
                       and (id < e.before_id or accepted_at < ms_of(e.before_id)) order by id limit most) m
                 where l.tenant = of_tenant order by m.id limit most) m
         cross join generate_series(1, cardinality(m.recipients)) r (n)
         where m.id + r.n > e.after_id and m.id + r.n < high;
        ids := ids[:most];
        exit when ids is not null;
        e.on_day := e.on_day + 1; e.after_hash := ''; e.after_id := 0;
    end loop;
    if ids is null then
        -- Rows vanish with their days. Once a pass meets none, there is nothing that a later event could be about.
        update erasure set on_day = null, deliveries = 0, done_at = coalesce(done_at, now()),
                           erased = case when done_at is null then e.deliveries else erased end,
                           next_at = case when e.deliveries > 0 then now() + interval '1 day' end
         where tenant = of_tenant;
        return 0;
    end if;
    messages := array(select distinct i & ~63::bigint from unnest(ids) i);
    update message set from_address = 'erased', recipients = array_fill('erased'::text, array[cardinality(recipients)]), tags = null
     where id = any (messages) and id >= low and id < high and from_address <> 'erased';
    delete from content where id = any (messages) and id >= low and id < high;
    delete from urgent_content where id = any (messages);
    update ledger set detail = words where id = any (ids) and id >= low and id < high and detail is distinct from words;
    update outcome set detail = words where id = any (ids) and id >= low and id < high and detail is distinct from words;
    update note set detail = words where id = any (ids) and id >= low and id < high and detail <> words;
    update event set detail = '{}' where delivery = any (ids) and delivery >= low and delivery < high and detail <> '{}';
    update erasure set on_day = e.on_day, after_id = ids[cardinality(ids)],
                       deliveries = e.deliveries + cardinality(ids)
     where tenant = of_tenant;
    return cardinality(ids);
end $$;

-- As before. Mail that was scheduled while a lane had another domain needs that domain.
create or replace function mail_needs(of_kind text, of_name text, of_member text) returns boolean language sql stable as $$
    with named as (
        select case when of_member like 'configuration-set/%' then substr(of_member, 19) end as set_name,
               case when of_member like 'identity/%' then substr(of_member, 10) end as domain
    ), uses as (
        select r.lane, null::bigint as until from route r
         where of_kind = 'configuration-set' and r.configuration_set = of_name
        union all
        select r.lane, null from route r where of_kind = 'identity' and r.domain = of_name
        union all
        select r.lane, null from named n, route r
         where of_kind in ('tenant', 'association') and r.ses_tenant = of_name
           and (n.set_name is null or r.configuration_set = n.set_name) and (n.domain is null or r.domain = n.domain)
        union all
        select b.lane, b.until from named n, route_before b
         where of_kind = 'configuration-set' and b.configuration_set = of_name or of_kind = 'identity' and b.domain = of_name
            or of_kind in ('tenant', 'association') and b.ses_tenant = of_name
               and (n.set_name is null or b.configuration_set = n.set_name) and (n.domain is null or b.domain = n.domain)
    )
    select exists (
        select from uses u join lane l on l.id = u.lane
        where l.retired_at is null and (
            u.until is null
            or u.until > now_ms() - 15000
            or exists (select from ready q where q.lane = u.lane and q.state = 1 and q.called_at < u.until + 10000)
            or exists (select from waiting w where w.lane = u.lane and w.why = 2 and w.called_at < u.until + 10000)
            or (of_kind = 'identity' or of_member like 'identity/%') and (
                exists (select from ready q where q.lane = u.lane and q.id < first_id_at(u.until + 10000))
                or exists (select from waiting w where w.lane = u.lane
                             and (w.id < first_id_at(u.until + 10000) or w.why = 4 and w.since < u.until + 10000)))))
$$;
