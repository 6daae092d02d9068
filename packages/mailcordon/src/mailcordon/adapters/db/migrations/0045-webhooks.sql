-- Webhooks: events and state changes for programs of tenants and of the platform (docs/webhooks.md). Times are milliseconds since 1970.

create table webhook_endpoint (
    id int generated always as identity primary key,
    name text not null check (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    tenant int references tenant,                           -- null: events of every tenant
    form text not null check (form in ('standard', 'ses-sns')),
    target text not null,                                   -- where it leads, without secrets: a host
    secret bytea,                                           -- URL and signing secrets as JSON, encrypted under MAILCORDON_SECRET_KEYS
    events text[] not null check (events <> '{}'),
    made_at bigint not null,
    made_by text not null,
    leased_until bigint not null default 0,                 -- a process sends to it; else when one last did
    next_at bigint not null default 0,                      -- nothing is sent before: the last rounds failed
    failed_rounds int not null default 0,                   -- in a row, in which nothing arrived
    failing_since bigint,                                   -- null: something arrived in the last round
    problem text,                                           -- why the last message that did not arrive did not
    paused_at bigint,
    paused_by text,
    paused_because text,
    removed_at bigint,
    removed_by text,
    check ((paused_at is null) = (paused_by is null) and (paused_at is null) = (paused_because is null)),
    check ((removed_at is null) = (removed_by is null))
);
create unique index webhook_endpoint_name on webhook_endpoint (name) where removed_at is null;

-- The outbox, and the log of what was sent: one row for each event and endpoint, written in the transaction of the event. It names the
-- event's rows and has no address, so that erasing these is enough. No foreign key: each row would lock its endpoint's.
create table webhook_message (
    id bigint generated always as identity primary key,
    endpoint int not null,
    event text not null,                                    -- such as delivery.bounced
    tenant int,
    delivery bigint,                                        -- of delivery.*
    key bytea,                                              -- delivery.*: its row in `event`; null: in `ledger`. suppression.*: the hash
    data jsonb,                                             -- of lane.* and suppression.*: what it was changed to
    made_at bigint not null,
    tried_from bigint,                                      -- since when it is tried, if not since `made_at`: it was replayed
    due_at bigint,                                          -- null: it arrived, or was given up
    tries int not null default 0,
    arrived_at bigint,
    problem text                                            -- why the last try failed
) with (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000);
create index webhook_message_due on webhook_message (endpoint, due_at) where due_at is not null;
create index webhook_message_of on webhook_message (endpoint, id);

-- SES's own JSON of events, for endpoints that get it. It is not kept otherwise.
create table webhook_document (
    delivery bigint not null,
    key bytea not null,
    made_at bigint not null,
    document text not null,
    primary key (delivery, key)
);
create index webhook_document_made on webhook_document (made_at);

-- What signs messages in SNS's form: an RSA key, and its certificate as we serve it.
create table webhook_signer (
    id int generated always as identity primary key,
    secret bytea not null,                                  -- the private key as PEM, encrypted under MAILCORDON_SECRET_KEYS
    certificate text not null,                              -- PEM
    made_at bigint not null
);

-- Ends of deliveries that SES reports nothing of. The queue's writers insert them into the ledger, each in its own way.
create function webhook_left() returns trigger language plpgsql security definer
set search_path = pg_catalog, mailcordon, pg_temp as $$
begin
    insert into webhook_message (endpoint, event, tenant, delivery, made_at, due_at)
    select e.id, w.event, new.tenant, new.id, now_ms(), now_ms()
      from webhook_endpoint e
     cross join (select case new.state when 10 then 'delivery.refused' when 11 then 'delivery.expired' when 12 then 'delivery.cancelled'
                                       when 13 then 'delivery.given-up' when 14 then 'delivery.rejected'
                                       when 28 then 'delivery.no-outcome' end) w (event)
     where e.removed_at is null and (e.tenant is null or e.tenant = new.tenant) and w.event = any (e.events);
    return null;
end $$;
create trigger webhook_left after insert on ledger for each row
when (new.state in (10, 11, 12, 13, 14, 28)) execute function webhook_left();

create function webhook_lane() returns trigger language plpgsql security definer
set search_path = pg_catalog, mailcordon, pg_temp as $$
begin
    insert into webhook_message (endpoint, event, tenant, data, made_at, due_at)
    select e.id, w.event, new.tenant, jsonb_build_object('lane', new.id, 'held', new.held, 'stopped', new.stopped), now_ms(), now_ms()
      from webhook_endpoint e
     cross join (select case when new.held or new.stopped then 'lane.held' else 'lane.released' end) w (event)
     where e.removed_at is null and (e.tenant is null or e.tenant = new.tenant) and w.event = any (e.events);
    return null;
end $$;
create trigger webhook_lane after update of held, stopped on lane for each row
when ((old.held or old.stopped) is distinct from (new.held or new.stopped)) execute function webhook_lane();

create function webhook_suppressed() returns trigger language plpgsql security definer
set search_path = pg_catalog, mailcordon, pg_temp as $$
begin
    insert into webhook_message (endpoint, event, tenant, key, data, made_at, due_at)
    select e.id, 'suppression.added', new.tenant, new.hash, jsonb_build_object('scope', new.scope, 'target', new.target), now_ms(), now_ms()
      from webhook_endpoint e
     where e.removed_at is null and (e.tenant is null or e.tenant = new.tenant) and 'suppression.added' = any (e.events);
    return null;
end $$;
create trigger webhook_suppressed after insert on suppression for each row execute function webhook_suppressed();

-- A document has addresses: it goes with the message's recipients.
create function webhook_forget() returns trigger language plpgsql security definer
set search_path = pg_catalog, mailcordon, pg_temp as $$
begin
    delete from webhook_document where delivery > new.id and delivery <= new.id + 50;
    return null;
end $$;
create trigger webhook_forget after update of recipients on message for each row execute function webhook_forget();

-- A tenant's contact is told when its webhook is paused, and once it is resumed.
alter table tenant_told drop constraint tenant_told_kind_check, add constraint tenant_told_kind_check check (kind in ('hold', 'stop', 'webhook'));

revoke execute on function webhook_left(), webhook_lane(), webhook_suppressed(), webhook_forget() from public;

grant select, insert, update on webhook_endpoint, webhook_message, webhook_signer to {{control}};
grant delete on webhook_message, webhook_document to {{control}};
grant select on webhook_document to {{control}};
grant select (id, tenant, form, events, removed_at) on webhook_endpoint to {{observe}};
grant insert on webhook_message, webhook_document to {{observe}};
-- A tenant may see its own endpoints and what was sent to them; no secret.
grant select (id, name, tenant, form, target, events, made_at, made_by, next_at, failing_since, problem, paused_at, paused_by,
              paused_because, removed_at) on webhook_endpoint to {{reader}};
grant select on webhook_message to {{reader}};
do $$
declare t text;
begin
    foreach t in array array['webhook_endpoint', 'webhook_message'] loop
        execute format('alter table %I enable row level security', t);
        execute format('create policy own_tenant on %I for select to {{reader}} using (tenant = nullif(current_setting(''mailcordon.tenant'', true), '''')::int)', t);
        execute format('create policy planes on %I to {{control}}, {{observe}} using (true) with check (true)', t);
    end loop;
end $$;
