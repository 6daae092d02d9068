-- The rows that the planes share (docs/architecture.md). Times of hot tables are milliseconds since 1970 (UTC, the database's clock).
-- Delivery and message ids are 64-bit and contain their millisecond, so a day is a range of ids and expiry is a comparison.

create function now_ms() returns bigint language sql stable as $$
    -- A test may shift the clock of its own connections; nobody else sets this.
    select (extract(epoch from clock_timestamp()) * 1000)::bigint
         + coalesce(nullif(current_setting('mailcordon.clock_offset_ms', true), '')::bigint, 0)
$$;

create table installation (
    only_row boolean primary key default true check (only_row),
    name text not null check (name ~ '^[a-z0-9-]{1,32}$'),   -- sent as a tag: tells our mail from that of another installation
    mac_key bytea not null,                                  -- signs attempt tags; encrypted under MAILCORDON_SECRET_KEYS
    hash_key bytea not null,                                 -- key of the recipient hash; encrypted in the same way
    created_at timestamptz not null default now()
);

-- Two counters that invalidate caches. `hold`: every dispatcher reads it every 250 ms. `control`: lanes, routes, keys and types;
-- read in each accept transaction.
create table epoch (
    name text primary key check (name in ('hold', 'control')),
    value bigint not null default 1
);
insert into epoch (name) values ('hold'), ('control');

-- CONTROL: tenants, types, lanes, routes, holds, keys -------------------------------------------------------------------------------------------------

create table tenant (
    id int generated always as identity primary key,
    key text not null unique check (key ~ '^mc-[a-z0-9]{8,60}$'),           -- what SES, tags and IAM see; never changes
    slug text not null unique check (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),   -- what people type
    created_at timestamptz not null default now(),
    retired_at timestamptz
);

create table message_type (
    id smallint generated always as identity primary key,
    name text not null unique check (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    class smallint not null check (class in (0, 1, 2)),     -- 0 urgent, 1 transactional, 2 marketing
    criticality smallint not null check (criticality between 1 and 5),
    description text not null,
    expiry_ms bigint check (expiry_ms > 0),                 -- null: the class's
    grace_ms bigint check (grace_ms > 0),                   -- null: the class's
    resend boolean,                                         -- null: the class's; whether an unknown outcome is resent when absence is proved
    retired_at timestamptz
);
insert into message_type (name, class, criticality, description) values
    ('password-reset', 0, 5, 'Lets a person back into an account'),
    ('login-code', 0, 5, 'One-time codes and magic links'),
    ('email-verification', 0, 4, 'Confirms that an address is its owner''s'),
    ('receipt', 1, 4, 'What was paid'),
    ('invoice', 1, 4, 'What is to be paid'),
    ('notification', 1, 3, 'Something happened in the recipient''s account'),
    ('newsletter', 2, 2, 'A mailing that the recipient subscribed to'),
    ('announcement', 2, 1, 'News, offers and product updates');

create table identity (
    id int generated always as identity primary key,
    tenant int not null references tenant,
    domain text not null unique check (domain = lower(domain)),
    status text not null default 'pending' check (status in ('pending', 'verified', 'failed')),
    records jsonb not null default '[]',                    -- DNS records the tenant must publish: [{type, name, value}]
    checked_at timestamptz,
    created_at timestamptz not null default now(),
    unique (tenant, id)
);

create table configuration_set (
    name text primary key check (name ~ '^[A-Za-z0-9_-]{1,64}$'),
    kind text not null check (kind in ('shared', 'dedicated', 'ungoverned')),
    class smallint check (class in (0, 1, 2)),
    tenant int references tenant
);

-- A tenant in a class, which takes turns with the other tenants. More lanes or more mail give no more turns.
create table turn (
    id int generated always as identity primary key,
    tenant int not null references tenant,
    class smallint not null check (class in (0, 1, 2)),
    next_at bigint,                                         -- when it is due; null: idle
    unique (tenant, class)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000);
create index turn_due on turn (class, next_at) where next_at is not null;

-- Wakes turns that look idle. The first statement gives the transaction its id, so that the second, which reads the turns, has a
-- later snapshot (docs/decisions/003). `after` is not used: it makes the caller compute it first.
create function wake_turns(turns int[], at bigint, after bigint) returns void language plpgsql as $$
begin
    perform pg_current_xact_id();
    update turn t set next_at = at from unnest(turns) u (turn) where t.id = u.turn and (t.next_at is null or t.next_at > at);
end $$;

create table lane (
    id int generated always as identity primary key,
    tenant int not null references tenant,
    type smallint not null references message_type,
    class smallint not null check (class in (0, 1, 2)),
    turn int not null references turn,
    held boolean not null default false,                    -- derived from the set of holds by the governor, in its transaction
    rate real check (rate >= 0),                            -- deliveries a second; null: no limit of its own
    tokens real not null default 0,
    tokens_at bigint not null default 0,
    released_at bigint,                                     -- when its last stopping hold was lifted: start of the ramp
    expiry_ms bigint not null check (expiry_ms > 0),
    grace_ms bigint not null check (grace_ms > 0),
    resend boolean not null,
    backlog_deliveries bigint not null default 2000000,     -- beyond any of the three: 429
    backlog_bytes bigint not null default 8589934592,
    backlog_age_ms bigint not null default 259200000,
    created_at timestamptz not null default now(),
    retired_at timestamptz,
    unique (tenant, type),
    unique (tenant, id)                                     -- target of composite foreign keys: no row can mix tenants
) with (fillfactor = 70);
create index lane_of_turn on lane (turn);

-- The result of resolution. A lane has two rows while a rollout moves it between paths; their shares sum to 100.
create table route (
    lane int not null,
    tenant int not null,
    path text not null check (path in ('shared', 'isolated')),
    share smallint not null default 100 check (share between 0 and 100),
    ses_tenant text not null,
    identity int not null,
    domain text not null,
    configuration_set text not null references configuration_set,
    ip_pool text,
    policy_version int not null default 1,
    primary key (lane, path),
    foreign key (tenant, lane) references lane (tenant, id),
    foreign key (tenant, identity) references identity (tenant, id)
);

create table hold (
    id bigint generated always as identity primary key,
    tenant int not null references tenant,
    class smallint check (class in (0, 1, 2)),              -- null: every class
    lane int,                                               -- null: every lane
    provider smallint,                                      -- null: every mailbox provider
    campaign text,
    list text,
    stops boolean not null default true,                    -- false: slows to `rate`
    rate real check (rate > 0),
    owner text not null check (owner in ('person', 'breaker', 'ses', 'policy', 'rollout')),
    because text not null check (because <> ''),
    evidence jsonb not null default '{}',
    by text not null,                                       -- who placed it: a key's name, or a part of the system
    since bigint not null,
    until bigint,
    lifted_at bigint,
    lifted_by text,
    lifted_because text,
    foreign key (tenant, lane) references lane (tenant, id),
    check (stops or rate is not null)
);
create index hold_open on hold (tenant) where lifted_at is null;

create table api_key (
    id int generated always as identity primary key,
    tenant int references tenant,                           -- null: a platform key
    prefix text not null unique,                            -- shown in lists and logs; not part of the secret
    hash bytea not null unique,                             -- SHA-256 of the whole key; 256 random bits need no slow hash
    name text not null,
    scopes text[] not null check (scopes <> '{}' and scopes <@ array['send', 'read', 'operate', 'admin']),
    created_at timestamptz not null default now(),
    created_by text not null,
    expires_at timestamptz,
    revoked_at timestamptz,
    check (tenant is null or scopes <@ array['send', 'read'])
);

create table audit (
    id bigint generated always as identity primary key,
    at timestamptz not null default now(),
    actor text not null,
    action text not null,
    tenant int references tenant,
    object text not null,
    before jsonb,
    after jsonb,
    because text
);
create index audit_of_tenant on audit (tenant, id);
create function audit_is_append_only() returns trigger language plpgsql as $$
begin
    raise exception 'the audit table is append-only: % refused', tg_op using errcode = 'insufficient_privilege';
end $$;
create trigger audit_append_only before update or delete or truncate on audit
    for each statement execute function audit_is_append_only();

-- Addresses that must not be mailed. `target` is 0 (tenant), the class or the lane, depending on `scope`.
create table suppression (
    tenant int not null references tenant,
    hash bytea not null,
    scope smallint not null check (scope in (0, 1, 2)),     -- 0 tenant, 1 class, 2 lane
    target int not null,
    address text not null,
    cause text not null check (cause in ('hard-bounce', 'complaint', 'unsubscribe', 'manual', 'ses-global-list')),
    evidence jsonb not null default '{}',
    since bigint not null,
    until bigint,
    by text not null,
    removing_since bigint,                                  -- removal requested; the row goes when SES's entry is deleted too
    primary key (tenant, hash, scope, target)
);
create table platform_suppression (
    hash bytea primary key,
    address text not null,
    cause text not null,
    since bigint not null,
    by text not null
);

-- SEND: the queue ---------------------------------------------------------------------------------------------------------

create table message (
    id bigint not null,
    tenant int not null,
    lane int not null,
    path text not null,
    from_address text not null,
    recipients text[] not null,                             -- element i (from 1) belongs to delivery id + i
    campaign text,
    list text,
    bytes int not null,                                     -- of the content, for backlog bounds
    api_key int not null,
    primary key (id),
    foreign key (tenant, lane) references lane (tenant, id)
) partition by range (id);

-- Members of SES's request, built once at accept: Content, FromEmailAddress, ReplyToAddresses.
create table content (
    id bigint primary key,
    body bytea not null
) partition by range (id);
alter table content alter column body set storage external;

-- Content of urgent mail, deleted at hand-over: deleting from one small table costs a tenth of deleting from partitions.
create table urgent_content (
    id bigint primary key,
    body bytea not null
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000, toast_tuple_target = 8160);
alter table urgent_content alter column body set storage external;

create table recipient (
    tenant int not null,
    hash bytea not null,
    id bigint not null,
    primary key (tenant, hash, id)
) partition by range (id);

-- Only deliveries that may leave now. state 0: ready; 1: sending (on the wire).
create table ready (
    lane int not null,
    id bigint not null,
    tenant int not null,
    state smallint not null default 0,
    attempt smallint not null default 0,
    provider smallint not null default 0,
    worker int,
    called_at bigint,
    hash bytea not null,
    campaign text,
    list text,
    primary key (lane, id),
    foreign key (tenant, lane) references lane (tenant, id)
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000);

create table waiting (
    lane int not null,
    id bigint not null,
    tenant int not null,
    why smallint not null,                                  -- 1 retry, 2 outcome unknown, 3 held (narrow), 4 scheduled, 5 provider cap
    until bigint,                                           -- null: until an event ends it
    attempt smallint not null,
    provider smallint not null default 0,
    called_at bigint,
    hash bytea not null,
    campaign text,
    list text,
    hold bigint,
    reason text not null,
    since bigint not null,
    primary key (lane, id)
) with (fillfactor = 80);
create index waiting_until on waiting (why, until);
create index waiting_hold on waiting (hold) where hold is not null;

-- One row per delivery, inserted once, when it leaves the queue.
create table ledger (
    id bigint primary key,
    tenant int not null,
    lane int not null,
    state smallint not null,                                -- core.message.State
    attempt smallint not null,
    provider smallint not null,
    ses_id text,
    called_at bigint,
    at bigint not null,
    reason text,                                            -- a core.reason code
    detail text                                             -- the sentence shown beside it
) partition by range (id);

-- History that the queue rows do not keep: retries, unknown outcomes, resends, deferrals. Rare.
create table note (
    id bigint not null,
    seq bigint generated always as identity,
    tenant int not null,
    at bigint not null,
    what text not null,
    attempt smallint not null,
    detail text not null,
    primary key (id, seq)
);

create table idempotency (
    tenant int not null,
    key bytea not null,
    body bytea not null,
    message bigint not null,
    primary key (tenant, key)
);

create table worker (
    id int generated always as identity primary key,
    heartbeat bigint not null,
    host text not null,
    pid int not null,
    ended_at bigint
);

-- Soft backlog bounds: each accepting node and each worker adds to its own row, so none waits for another.
create table lane_intake (
    lane int not null, node int not null, deliveries bigint not null default 0, bytes bigint not null default 0,
    primary key (lane, node)
) with (fillfactor = 50);
create table lane_finished (
    lane int not null, node int not null, deliveries bigint not null default 0, bytes bigint not null default 0,
    primary key (lane, node)
) with (fillfactor = 50);

create table account_rate (
    cell text primary key,
    ceiling real not null,                                  -- GetAccount's MaxSendRate, recipients per second
    rate real not null,                                     -- the rate in use: cut at a 429, then raised again
    tokens real not null default 0,
    at bigint not null,
    max_24h real not null,
    sent_24h real not null,
    sending_enabled boolean not null,
    enforcement text not null,
    polled_at bigint not null
);

-- OBSERVE: what SES reports ---------------------------------------------------------------------------------------------------

create table event (
    delivery bigint not null,
    key bytea not null,                                     -- of the content, ses.md 4.9
    tenant int not null,
    lane int not null,
    kind smallint not null,                                 -- core.event.Kind
    attempt smallint not null,
    at bigint not null,
    ses_id text not null,
    detail jsonb not null,
    received_at timestamptz not null default now(),
    primary key (delivery, key)
) partition by range (delivery);

create table outcome (
    id bigint primary key,
    tenant int not null,
    lane int not null,
    state smallint not null,
    at bigint not null,
    kinds int not null,                                     -- one bit per kind seen, so that a delivery counts once per kind
    attempt smallint not null,                              -- the attempt that the state is about
    ses_id text not null,
    reason text,
    detail text
) partition by range (id);

-- Send event per attempt: settles "outcome unknown".
create table send_event (
    delivery bigint not null,
    attempt smallint not null,
    ses_id text not null,
    at bigint not null,
    primary key (delivery, attempt)
);

create table send_seen (
    configuration_set text primary key,
    called_at bigint not null                               -- the latest call whose Send event arrived
);

create table metric_minute (
    lane int not null,
    provider smallint not null,
    minute int not null,                                    -- minutes since 1970 in which the mail left
    tenant int not null,
    sent int not null default 0,
    delivered int not null default 0,
    hard_bounced int not null default 0,
    soft_bounced int not null default 0,
    complained int not null default 0,
    delayed int not null default 0,
    rejected int not null default 0,
    suppressed_at_ses int not null default 0,
    opened int not null default 0,
    clicked int not null default 0,
    primary key (lane, provider, minute)
) with (fillfactor = 70);

create table quarantine (
    id bigint generated always as identity primary key,
    digest bytea not null unique,                           -- of the document: a copy only increments `copies`
    why text not null,                                      -- 'malformed' | 'ungoverned' | 'foreign-installation' | 'disagreement' | 'unknown-delivery' | 'double'
    detail text not null,
    document text not null,
    source text not null,
    tenant int,                                             -- the tenant, if that is certain
    copies int not null default 1,
    first_received_at timestamptz not null default now(),
    last_received_at timestamptz not null default now(),
    replayed_at timestamptz,
    resolution text
);

-- A partition is a day of ids: 22 bits below the millisecond; epoch 2026-01-01 (core/ids.py).
create function ensure_partitions(days int, from_ms bigint default null) returns int
language plpgsql security definer set search_path from current as $$
declare
    parent text; day date; low bigint; made int := 0;
    first date := (to_timestamp(coalesce(from_ms, now_ms()) / 1000.0) at time zone 'UTC')::date;
begin
    perform pg_advisory_xact_lock(hashtext(current_schema() || '.ensure_partitions'));
    for day in select first - 1 + n from generate_series(0, days) n loop
        low := (extract(epoch from day::timestamp)::bigint * 1000 - 1767225600000) << 22;
        continue when low < 0;
        foreach parent in array array['message', 'content', 'recipient', 'ledger', 'event', 'outcome'] loop
            if to_regclass(format('%I', parent || to_char(day, '"_p"YYYYMMDD'))) is null then
                -- Only ever inserted into, so looked at by vacuum per 200,000 rows instead of per 1,000: on a fresh day it would
                -- otherwise run all the time. Content up to a page stays beside its id: a mail of a few kB in TOAST costs two
                -- rows and an index more.
                execute format('create table %I partition of %I for values from (%s) to (%s)
                                with (autovacuum_vacuum_insert_threshold = 200000, autovacuum_analyze_threshold = 50000%s)',
                    parent || to_char(day, '"_p"YYYYMMDD'), parent, low, low + (86400000::bigint << 22),
                    case parent when 'content' then ', toast_tuple_target = 8160' else '' end);
                made := made + 1;
            end if;
        end loop;
    end loop;
    return made;
end $$;
revoke all on function ensure_partitions(int, bigint) from public;
grant execute on function ensure_partitions(int, bigint) to {{control}};
revoke all on function wake_turns(int[], bigint, bigint) from public;
grant execute on function wake_turns(int[], bigint, bigint) to {{send}};
select ensure_partitions(14);

-- Rights of the roles (invariant 9) -----------------------------------------------------------------------------------------------

grant select on installation to {{control}}, {{governor}}, {{send}}, {{observe}};
grant insert, update on installation to {{control}};
grant select on epoch to {{control}}, {{governor}}, {{send}}, {{observe}};
grant update on epoch to {{control}}, {{governor}};
grant select on tenant, message_type, identity, configuration_set, turn, lane, route, hold, api_key
    to {{control}}, {{governor}}, {{send}}, {{observe}};
grant insert, update on tenant, message_type, identity, configuration_set, turn, lane, route, api_key to {{control}};
grant delete on identity, route to {{control}};
grant insert, update on hold to {{governor}};
grant update (held, released_at, rate, tokens, tokens_at) on lane to {{governor}};
grant update (next_at) on turn to {{governor}}, {{send}};
grant update (tokens, tokens_at, released_at) on lane to {{send}};
grant select on audit to {{control}};
grant insert on audit to {{control}}, {{governor}};
grant select on suppression, platform_suppression to {{control}}, {{governor}}, {{send}}, {{observe}};
grant insert, update, delete on suppression to {{control}}, {{observe}};
grant insert, update, delete on platform_suppression to {{control}};

grant select on message, content, urgent_content, recipient, ready, waiting, ledger, note, worker, lane_intake, lane_finished, account_rate
    to {{control}}, {{governor}}, {{send}};
grant select on message, recipient, ready, waiting, ledger to {{observe}};
grant insert on message, content, urgent_content, recipient, ledger, note to {{send}};
grant delete on content, urgent_content to {{send}}, {{control}};
grant select, insert, update, delete on ready, waiting, idempotency, worker, lane_intake, lane_finished to {{send}};
grant select, delete on idempotency to {{control}};
grant update, delete on ready, waiting to {{governor}};
grant insert on ready, waiting, ledger, note to {{governor}};
grant select, insert, update on lane_finished to {{governor}};
grant update on account_rate to {{send}};
grant insert, update on account_rate to {{control}};

grant select on event, outcome, send_event, send_seen, metric_minute, quarantine to {{control}}, {{governor}}, {{send}}, {{observe}};
grant insert on event, outcome, send_event, send_seen, metric_minute, quarantine to {{observe}};
grant update on outcome, send_event, send_seen, metric_minute, quarantine to {{observe}};
grant update on quarantine to {{control}};

-- Reads with a tenant's key: the reader role sees the rows of the tenant that its transaction names, and no rows without a name.
do $$
declare t text;
begin
    foreach t in array array['identity', 'lane', 'route', 'hold', 'suppression', 'message', 'recipient', 'ready', 'waiting', 'ledger',
                             'note', 'event', 'outcome', 'metric_minute'] loop
        execute format('grant select on %I to {{reader}}', t);
        execute format('alter table %I enable row level security', t);
        execute format('create policy own_tenant on %I for select to {{reader}} using (tenant = nullif(current_setting(''mailcordon.tenant'', true), '''')::int)', t);
        execute format('create policy planes on %I to {{control}}, {{governor}}, {{send}}, {{observe}} using (true) with check (true)', t);
    end loop;
end $$;
alter table tenant enable row level security;
create policy own_tenant on tenant for select to {{reader}} using (id = nullif(current_setting('mailcordon.tenant', true), '')::int);
create policy planes on tenant to {{control}}, {{governor}}, {{send}}, {{observe}} using (true) with check (true);
grant select on tenant, message_type to {{reader}};
