-- Suppressions that agree with SES's lists (docs/decisions/036-suppressions.md).

alter table suppression drop constraint suppression_cause_check,
    add constraint suppression_cause_check check (cause in (
        'hard-bounce', 'complaint', 'unsubscribe', 'manual', 'ses-global-list', 'ses-tenant-list', 'ses-account-list', 'ses-tenant-complaint',
        'ses-account-complaint', 'soft-bounces', 'imported', 'forgotten')),
    add column removal_waits text,                          -- why a requested removal is not done yet; null: it was not tried
    add column removal_next_at bigint;                      -- when it is tried again

-- What was reported about an address that suppressions with an end are computed from: complaints, what takes them back, and soft
-- bounces. Rows are only added, so the result does not depend on the order of arrival.
create table address_report (
    tenant int not null references tenant,
    hash bytea not null,                                    -- of the address
    key bytea not null,                                     -- of the event (core.event.Event.key)
    kind smallint not null check (kind in (0, 1, 2)),       -- 0 soft bounce, 1 complaint, 2 not spam (core.suppression.Reported)
    class smallint not null,                                -- of the lane whose mail it is about
    at bigint not null,                                     -- milliseconds since 1970
    cause text not null,                                    -- of the suppression that follows from it
    address text not null,
    evidence jsonb not null,
    primary key (tenant, hash, key)
);
create index address_report_by_time on address_report (at);

-- Until when evidence is void, because a person removed the suppression that followed from it.
create table suppression_removal (
    tenant int not null references tenant,
    hash bytea not null,
    scope smallint not null,
    target int not null,
    at bigint not null,
    primary key (tenant, hash, scope, target)
);

-- An address on one of SES's lists, in one spelling, as control read it last. SES keeps the letter case (ses.md 2.4), so one
-- mailbox may have several entries.
create table ses_entry (
    tenant int not null references tenant,                  -- for whom it was read
    hash bytea not null,
    list text not null,                                     -- the SES tenant whose list it is; '': the account's
    spelling text not null,
    found boolean,                                          -- null: not read yet
    reason text,                                            -- BOUNCE or COMPLAINT
    listed_at bigint,                                       -- LastUpdateTime
    message_id text,                                        -- of the mail that SES entered it for; null: a person or a tool did
    feedback_id text,
    read_at bigint,
    problem text,                                           -- why the last read failed
    wanted_since bigint,                                    -- null: no read is asked for
    next_try_at bigint,
    forget boolean not null default false,                  -- the address was forgotten: delete it at SES, then this row
    primary key (tenant, hash, list, spelling)
);
create index ses_entry_wanted on ses_entry (wanted_since) where wanted_since is not null;

grant select on address_report, suppression_removal, ses_entry to {{control}}, {{observe}};
grant insert, delete on address_report to {{observe}};
grant delete on address_report, suppression_removal to {{control}};
grant insert, update on suppression_removal to {{control}};
grant insert, update on ses_entry to {{observe}};
grant insert, update, delete on ses_entry to {{control}};
do $$
declare t text;
begin
    foreach t in array array['address_report', 'ses_entry'] loop
        execute format('grant select on %I to {{reader}}', t);
        execute format('alter table %I enable row level security', t);
        execute format('create policy own_tenant on %I for select to {{reader}} using (tenant = nullif(current_setting(''mailcordon.tenant'', true), '''')::int)', t);
        execute format('create policy planes on %I to {{control}}, {{observe}} using (true) with check (true)', t);
    end loop;
end $$;

-- As of 0015, and what this migration adds about addresses.
create or replace function erase_some(of_tenant int, most int, words text) returns int
language plpgsql security definer set search_path = pg_catalog, mailcordon, pg_temp as $$
declare
    e erasure;
    low bigint;
    high bigint;
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
        update stop set said = '' where tenant = of_tenant and said <> '';
        perform audit_erase_personal(of_tenant);
    end if;
    if e.on_day is null then
        e.on_day := (select (created_at at time zone 'UTC')::date - 1 from tenant where id = of_tenant);
        e.after_hash := ''; e.after_id := 0; e.deliveries := 0;
    end if;
    loop
        low := greatest(first_id_of(e.on_day), 0);
        high := least(first_id_of(e.on_day + 1), e.before_id);
        exit when low >= e.before_id;
        -- By its lanes: the key of `recipient` begins with the hash (0030-search.sql).
        select array_agg(m.id + r.n order by m.id + r.n) into ids
          from (select m.id, m.recipients from lane l cross join lateral (
                    select id, recipients from message
                     where lane = l.id and id >= greatest(low, e.after_id & ~63::bigint) and id < high order by id limit most) m
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
    update message set from_address = 'erased', recipients = array_fill('erased'::text, array[cardinality(recipients)])
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

-- Addresses of tenants that are not retired whose owners asked to be forgotten. The keyed hash stays, and still suppresses; what is
-- reported about such an address later is stored without it.
create table forgotten_address (
    tenant int not null references tenant,
    hash bytea not null,
    requested_at timestamptz not null default now(),
    after_id bigint not null default 0,                     -- deliveries up to here are erased in this pass
    next_at timestamptz not null default now(),             -- of the next pass
    primary key (tenant, hash)
);
create index forgotten_address_due on forgotten_address (next_at);
grant select on forgotten_address to {{control}}, {{observe}};
grant delete on forgotten_address to {{control}};

-- Forgets an address in all that is found by its spelling: changes by hand, quarantined events, suppressions. It stays suppressed
-- for all of the tenant's mail. Its mails follow in batches (forget_some), SES's lists by control.
create function forget_address(of_tenant int, of_hash bytea, spelled text, actor text) returns void
language plpgsql security definer set search_path = pg_catalog, mailcordon, pg_temp as $$
begin
    if of_tenant is null or of_hash is null or length(of_hash) <> 16 or actor is null or spelled is null
       or position('@' in spelled) = 0 then
        raise exception 'forget_address: an argument is missing or out of bounds' using errcode = 'invalid_parameter_value';
    end if;
    insert into forgotten_address (tenant, hash) values (of_tenant, of_hash)
    on conflict (tenant, hash) do update set after_id = 0, next_at = now();
    insert into suppression as s (tenant, hash, scope, target, address, cause, since, by)
    values (of_tenant, of_hash, 0, 0, 'erased', 'forgotten', now_ms(), actor)
    on conflict (tenant, hash, scope, target) do update
       set cause = 'forgotten', since = excluded.since, until = null, by = excluded.by, removing_since = null,
           removal_next_at = null
     where s.until is not null or s.removing_since is not null;
    update suppression set address = 'erased', evidence = '{}', removal_waits = null where tenant = of_tenant and hash = of_hash;
    update address_report set address = 'erased', evidence = '{}' where tenant = of_tenant and hash = of_hash;
    insert into ses_entry (tenant, hash, list, spelling, forget)
    select of_tenant, of_hash, r.name, spelled, true from ses_resource r where r.tenant = of_tenant and r.kind = 'tenant'
    on conflict do nothing;
    update ses_entry set forget = true, next_try_at = null where tenant = of_tenant and hash = of_hash;
    delete from ses_unlisting where tenant = of_tenant and hash = of_hash;
    update audit a set personal = audit_erased(a.personal)
     where a.tenant = of_tenant and lower(a.personal -> 'address' ->> 'value') = lower(spelled);
    perform from quarantine_kind order by why for update;
    with gone as (
        delete from quarantine where tenant = of_tenant and position(lower(spelled) in lower(document || samples::text)) > 0
        returning why, bytes
    )
    update quarantine_kind k set entries = greatest(0, k.entries - g.entries), bytes = greatest(0, k.bytes - g.bytes)
      from (select why, count(*) as entries, sum(bytes) as bytes from gone group by why) g where k.why = g.why;
end $$;
revoke all on function forget_address(int, bytea, text, text) from public;
grant execute on function forget_address(int, bytea, text, text) to {{control}};

-- Erases a forgotten address from a batch of its mails. Returns how many; 0 ends the pass. The body of a mail goes if nobody else
-- received it; other bodies go with their retention. What is still queued is refused first, and erased by the next pass.
create function forget_some(of_tenant int, of_hash bytea, most int, words text) returns int
language plpgsql security definer set search_path = pg_catalog, mailcordon, pg_temp as $$
declare
    place forgotten_address;
    ids bigint[];
    low bigint;
    high bigint;
begin
    if most is null or not most between 1 and 10000 or words is null or length(words) > 200 then
        raise exception 'forget_some: an argument is missing or out of bounds' using errcode = 'invalid_parameter_value';
    end if;
    select * into place from forgotten_address where tenant = of_tenant and hash = of_hash for update;
    if not found then
        raise exception 'no such address was forgotten' using errcode = 'invalid_parameter_value';
    end if;
    ids := array(select id from recipient where tenant = of_tenant and hash = of_hash and id > place.after_id order by id limit most);
    if cardinality(ids) = 0 then
        -- SES may report on a mail for weeks, and the tenant may hand in new mail, which is refused and has the address.
        update forgotten_address
           set after_id = 0, next_at = now() + interval '1 day'
         where tenant = of_tenant and hash = of_hash;
        return 0;
    end if;
    low := ids[1] & ~63::bigint;
    high := ids[cardinality(ids)];
    update forgotten_address set after_id = high where tenant = of_tenant and hash = of_hash;
    update message m set recipients[(x.id & 63)::int] = 'erased'
      from unnest(ids) x (id)
     where m.id = x.id & ~63::bigint and m.id >= low and m.id <= high and m.recipients[(x.id & 63)::int] <> 'erased'
       and not exists (select from ready r where r.lane = m.lane and r.id = x.id)
       and not exists (select from waiting w where w.lane = m.lane and w.id = x.id);
    delete from content c using message m
     where c.id = m.id and m.id = any (select i & ~63::bigint from unnest(ids) i) and m.id >= low and m.id <= high
       and c.id >= low and c.id <= high and m.recipients <@ array['erased'::text];
    update ledger set detail = words where id = any (ids) and id >= low and id <= high and detail is distinct from words;
    update outcome set detail = words where id = any (ids) and id >= low and id <= high and detail is distinct from words;
    update note set detail = words where id = any (ids) and id >= low and id <= high and detail <> words;
    update event set detail = '{}' where delivery = any (ids) and delivery >= low and delivery <= high and detail <> '{}';
    return cardinality(ids);
end $$;
revoke all on function forget_some(int, bytea, int, text) from public;
grant execute on function forget_some(int, bytea, int, text) to {{control}};
