-- Mail that did not pass through us, counted for its tenant (docs/observe-only.md). Nothing here lets a lane send: an observed lane
-- has no route.

alter table tenant add column observed boolean not null default false;  -- known from its mail alone: nothing of it is at SES
alter table lane add column observed boolean not null default false;    -- has counts and no route; onboarding makes it a lane that sends
-- Null: nobody has said. True: the installation sends nothing and changes nothing at SES.
alter table installation add column observe_only boolean;

-- Whose an event without our tags is. Rules are asked in the order of observe/observing.py; each pair of name and value has one.
create table observed_rule (
    id int generated always as identity primary key,
    by text not null check (by in ('tag', 'set', 'from', 'identity')),
    name text check (length(name) between 1 and 256),       -- of the tag
    value text not null check (length(value) between 1 and 320),
    tenant int not null references tenant,
    type smallint references message_type,                  -- of all its mail, or of mail whose tag names none
    type_tag text check (length(type_tag) between 1 and 256),  -- the tag whose value is the message type
    created_at bigint not null default now_ms(),            -- milliseconds since 1970
    created_by text not null,
    check ((by = 'tag') = (name is not null)),
    check (type is not null or type_tag is not null)
);
create unique index observed_rule_key on observed_rule (by, coalesce(name, ''), value);
create index observed_rule_of on observed_rule (tenant);

-- Mail that no rule maps, while the installation observes only: counted by what a rule could name. '*': more than are kept of a day.
create table observed_unmapped (
    day date not null,                                      -- of arrival
    identity text not null,                                 -- that SES names, '' if it names none
    from_domain text not null,
    configuration_set text not null,
    events bigint not null default 0,                       -- documents, copies included
    mails bigint not null default 0,                        -- of these, Send events
    why text not null,                                      -- of the last one: a code of observe/observing.py
    tags text[] not null default '{}',                      -- of the last one, as name=value
    first_at bigint not null,
    last_at bigint not null,
    primary key (day, identity, from_domain, configuration_set)
);

-- Deliveries of mail that did not pass through us, each a message of its own (path `observed`): found if they are there, made if they
-- are not and `makes` says so. An id has the mail's time, and 16 bits of a hash of SES's id and the recipient; if another delivery
-- has it, the next one is tried. Runs as the owner, since observe writes neither messages nor ledger: only for tenants and types that
-- a rule names, and what is there is never changed. Returns no row for a delivery that is not there.
create function place_observed(of_tenants int[], of_types int[], ats bigint[], slots int[], of_ses_ids text[], addresses text[],
                               hashes bytea[], providers int[], senders text[], makes boolean[])
returns table (n int, delivery bigint, tenant int, lane int, provider int, recipient text, made boolean)
language plpgsql security definer set search_path = pg_catalog, mailcordon, pg_temp set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off as $$
#variable_conflict use_column
declare
    x record;
    there record;
    of_lane int;
    place bigint;
begin
    if of_tenants is null or of_types is null or ats is null or slots is null or of_ses_ids is null or addresses is null
       or hashes is null or providers is null or senders is null or makes is null
       or cardinality(of_tenants) > 100000
       or not cardinality(of_tenants) = all (array[cardinality(of_types), cardinality(ats), cardinality(slots),
              cardinality(of_ses_ids), cardinality(addresses), cardinality(hashes), cardinality(providers), cardinality(senders),
              cardinality(makes)]) then
        raise exception 'place_observed: an argument is missing or out of bounds' using errcode = 'invalid_parameter_value';
    end if;
    for x in
        select u.n::int as n, u.tenant, u.type, u.at, u.slot & 65535 as slot, u.ses_id, u.address, u.hash, u.provider, u.sender, u.make
          from unnest(of_tenants, of_types, ats, slots, of_ses_ids, addresses, hashes, providers, senders, makes) with ordinality
               u (tenant, type, at, slot, ses_id, address, hash, provider, sender, make, n)
         where u.at >= 1767225600000
         order by u.at, u.slot & 65535, u.n
    loop
        place := first_id_at(x.at) | (x.slot::bigint << 6);
        for attempts in 1..32 loop
            select m.tenant, m.lane, m.path, m.recipients[1] as recipient, l.ses_id, l.provider into there
              from message m left join ledger l on l.id = place + 1 where m.id = place;
            if not found then
                exit when not x.make;
                of_lane := observed_lane(x.tenant, x.type);
                exit when of_lane is null;
                insert into message (id, tenant, lane, path, from_address, recipients, bytes, api_key)
                values (place, x.tenant, of_lane, 'observed', x.sender, array[x.address], 0, 0)
                on conflict do nothing;
                if found then
                    insert into ledger (id, tenant, lane, state, attempt, provider, ses_id, called_at, at)
                    values (place + 1, x.tenant, of_lane, 20, 1, x.provider, x.ses_id, x.at, x.at);
                    if x.hash is not null then
                        insert into recipient (tenant, hash, id) values (x.tenant, x.hash, place + 1);
                    end if;
                    n := x.n; delivery := place + 1; tenant := x.tenant; lane := of_lane; provider := x.provider;
                    recipient := x.address; made := true;
                    return next;
                    exit;
                end if;
                -- Another observer was first, and has committed.
                select m.tenant, m.lane, m.path, m.recipients[1] as recipient, l.ses_id, l.provider into there
                  from message m left join ledger l on l.id = place + 1 where m.id = place;
            end if;
            if there.path = 'observed' and there.ses_id = x.ses_id
               and (there.recipient = 'erased' or lower(there.recipient) = lower(x.address)) then
                n := x.n; delivery := place + 1; tenant := there.tenant; lane := there.lane; provider := there.provider;
                recipient := there.recipient; made := false;
                return next;
                exit;
            end if;
            x.slot := (x.slot + 1) & 65535;
            place := first_id_at(x.at) | (x.slot::bigint << 6);
        end loop;
    end loop;
end $$;

-- The tenant's lane of a type, made if a rule lets its mail be of that type. Its bounds of time are never used: nothing is queued
-- in it, and onboarding sets them.
create function observed_lane(of_tenant int, of_type int) returns int
language plpgsql security definer set search_path = pg_catalog, mailcordon, pg_temp as $$
declare
    found_lane int;
begin
    if not exists (select from observed_rule r where r.tenant = of_tenant and (r.type = of_type or r.type_tag is not null)) then
        return null;
    end if;
    select l.id into found_lane from lane l where l.tenant = of_tenant and l.type = of_type;
    if found_lane is not null then
        return found_lane;
    end if;
    insert into turn (tenant, class) select of_tenant, y.class from message_type y where y.id = of_type on conflict do nothing;
    insert into lane (tenant, type, class, turn, expiry_ms, grace_ms, resend, observed)
    select of_tenant, y.id, y.class, t.id, 86400000, 60000, false, true
      from message_type y join turn t on t.tenant = of_tenant and t.class = y.class
     where y.id = of_type and y.retired_at is null
    on conflict do nothing;
    select l.id into found_lane from lane l where l.tenant = of_tenant and l.type = of_type;
    return found_lane;
end $$;
revoke all on function place_observed(int[], int[], bigint[], int[], text[], text[], bytea[], int[], text[], boolean[]),
                       observed_lane(int, int) from public;
grant execute on function place_observed(int[], int[], bigint[], int[], text[], text[], bytea[], int[], text[], boolean[]),
                          observed_lane(int, int) to {{observe}};

grant select on observed_rule, observed_unmapped to {{control}}, {{observe}};
grant insert, update, delete on observed_rule to {{control}};
grant insert, update on observed_unmapped to {{observe}};
grant delete on observed_unmapped to {{control}};
