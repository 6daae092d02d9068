-- Retirement: a lane, a domain or a tenant that takes no new mail, and whose resources at SES go once nothing needs them any more
-- (docs/control.md, "Retiring"). Rows stay: events that arrive later are attributed by them.

-- A lane is retiring from `retiring_at` on, which is when it stops taking mail, and retired from `retired_at` on. In between its mail
-- leaves or is cancelled, and SES reports what became of it.
alter table lane
    add retiring_at timestamptz,
    add retire_mail text check (retire_mail in ('drain', 'cancel')),
    add retired_with text check (retired_with in ('lane', 'domain', 'tenant')),  -- what was retired; unretiring it brings the lane back
    add sealed_at timestamptz,                              -- no transaction that began before `retiring_at` can add mail any more
    add drained_at timestamptz,                             -- the queue was empty, and no outcome unknown
    add constraint lane_retirement check (
        (retiring_at is null) = (retire_mail is null) and (retiring_at is null) = (retired_with is null)
        and (retiring_at is not null or sealed_at is null and drained_at is null));
update lane set retiring_at = retired_at, retire_mail = 'drain', retired_with = 'lane', sealed_at = retired_at, drained_at = retired_at
 where retired_at is not null;
create index lane_retiring on lane (id) where retiring_at is not null and retired_at is null;

-- A domain is retired when its last lane is.
alter table identity
    add retiring_at timestamptz,
    add retired_at timestamptz,
    add retired_with text check (retired_with in ('domain', 'tenant')),
    add constraint identity_retirement check (
        (retiring_at is null) = (retired_with is null) and (retired_at is null or retiring_at is not null));
create index identity_retiring on identity (id) where retiring_at is not null and retired_at is null;

-- And a tenant when its last lane is.
alter table tenant add retiring_at timestamptz;
update tenant set retiring_at = retired_at where retired_at is not null;
create index tenant_retiring on tenant (id) where retiring_at is not null and retired_at is null;

-- Erasing personal data ---------------------------------------------------------------------------------------------------------

-- What was asked for, and how far it is. Passes go day by day, in the order of `recipient`: its key is the only one that has the
-- tenant first.
create table erasure (
    tenant int primary key references tenant,
    requested_at timestamptz not null default now(),
    requested_by text not null,
    because text not null,
    before_id bigint not null default first_id_at(now_ms()),  -- mail that is accepted after the tenant came back is not erased
    on_day date,                                            -- null: no pass is under way
    after_hash bytea not null default '',                   -- where the last batch of the day ended
    after_id bigint not null default 0,
    deliveries bigint not null default 0,                   -- erased in this pass
    erased bigint not null default 0,                       -- and in the first one
    done_at timestamptz,                                    -- the end of the first pass
    next_at timestamptz default now()                       -- events that came later are erased by another pass; null: no more
);
grant select on erasure to {{control}};

-- Asks for an erasure. Returns false, and changes nothing, if one was asked for since the tenant was retired. A tenant that came back
-- after its erasure, and was retired again, has new mail to erase.
create function request_erasure(of_tenant int, by text, why text) returns boolean
language sql security definer set search_path = pg_catalog, mailcordon, pg_temp as $$
    with asked as (
        insert into erasure as e (tenant, requested_by, because) values (of_tenant, by, why)
        on conflict (tenant) do update
        set requested_at = excluded.requested_at, requested_by = excluded.requested_by, because = excluded.because,
            before_id = excluded.before_id, on_day = null, after_hash = '', after_id = 0, deliveries = 0, erased = 0,
            done_at = null, next_at = excluded.next_at
        where e.done_at is not null and e.requested_at < (select t.retired_at from tenant t where t.id = of_tenant)
        returning 1
    )
    select exists (select from asked)
$$;
revoke all on function request_erasure(int, text, text) from public;
grant execute on function request_erasure(int, text, text) to {{control}};

-- Erases a batch of a tenant's addresses, contents and words of mailbox providers. Returns how many rows or deliveries; 0 ends a pass.
-- Keyed hashes stay, so that suppressions still work and an address can still be asked for; so do states, times and counts.
-- Runs as the owner: no login may change what is recorded of mail.
create function erase_some(of_tenant int, most int, words text) returns int
language plpgsql security definer set search_path = pg_catalog, mailcordon, pg_temp as $$
declare
    e erasure;
    low bigint;
    high bigint;
    ids bigint[];
    messages bigint[];
    last_hash bytea;
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
        update suppression set address = 'erased', evidence = '{}'
         where ctid = any (array(select ctid from suppression where tenant = of_tenant and address <> 'erased' limit most for update));
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
        select array_agg(x.id order by x.hash, x.id), (array_agg(x.hash order by x.hash desc))[1] into ids, last_hash
          from (select hash, id from recipient
                 where tenant = of_tenant and id >= low and id < high and (hash, id) > (e.after_hash, e.after_id)
                 order by hash, id limit most) x;
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
    update erasure set on_day = e.on_day, after_hash = last_hash, after_id = ids[cardinality(ids)],
                       deliveries = e.deliveries + cardinality(ids)
     where tenant = of_tenant;
    return cardinality(ids);
end $$;
revoke all on function erase_some(int, int, text) from public;
grant execute on function erase_some(int, int, text) to {{control}};
