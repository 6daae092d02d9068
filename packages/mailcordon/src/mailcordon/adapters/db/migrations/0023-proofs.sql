-- Proofs of attribution (docs/proofs.md): mails to SES's simulator over a lane's route, and the events that came back.

create table proof (
    id bigint generated always as identity primary key,
    tenant int not null,
    lane int not null,
    asked_at bigint not null,
    asked_by text not null,
    limit_ms int not null check (limit_ms between 1000 and 600000),  -- how long an event may take after the last call
    scope jsonb,                                            -- the suppression scope as read from SES; null: not read yet
    ended_at bigint,
    proved boolean,
    -- Whether it says something about attribution: one that was not sent because the lane is held does not.
    counts boolean not null default false,
    because text,
    faults jsonb not null default '[]',                     -- [{code, says}]: what is wrong, in the order in which a mail meets it
    parts jsonb,                                            -- of the route when it ended: proof_parts
    foreign key (tenant, lane) references lane (tenant, id),
    check ((ended_at is null) = (proved is null))
);
create unique index proof_open on proof (lane) where ended_at is null;
create index proof_of_lane on proof (lane, id);
create index proof_ended on proof (ended_at) where ended_at is not null;
create index proof_of_tenant on proof (tenant) where ended_at is null;

-- One mail of a proof. Its id is in its tags as a delivery's would be (core/proof.py).
create table proof_mail (
    id bigint primary key,
    proof bigint not null references proof on delete cascade,
    tenant int not null,
    lane int not null,
    what text not null check (what in ('success', 'bounce', 'complaint', 'reject')),
    -- asked: not sent yet; calling: the intent is committed, and it is never called again; refused: SES has certainly not taken it
    state text not null default 'asked' check (state in ('asked', 'calling', 'accepted', 'refused', 'unknown')),
    called_at bigint,
    answered_at bigint,
    ses_id text,
    said text,                                              -- why it was refused, or why its outcome is unknown
    ses_tenant text,                                        -- what it was sent with
    domain text,
    configuration_set text
);
create index proof_mail_of_proof on proof_mail (proof);
create index proof_mail_asked on proof_mail (id) where state = 'asked';

-- What SES reported of such a mail. No count, rate or suppression is made from it.
create table proof_event (
    mail bigint not null references proof_mail on delete cascade,
    key bytea not null,                                     -- of the event, as in `event`
    tenant int not null,
    lane int not null,
    kind smallint not null,
    at bigint not null,
    received_at bigint not null,
    ses_id text not null,
    queue text not null,
    topic text,
    configuration_set text,
    ses_tenant text,
    attributed_lane int,                                    -- by its tags; null: they name no lane
    problem text,                                           -- how it contradicts our rows
    primary key (mail, key)
);

-- The parts of a lane's route that a proof is about. It is stale once one of them has changed. As the owner, since the destination
-- of a set that tenants share is in no row of a tenant; for a tenant's key only its own lanes.
create function proof_parts(of_lane int) returns jsonb
language sql stable security definer set search_path = pg_catalog, mailcordon, pg_temp as $$
    select jsonb_build_object(
        'ses_tenant', r.ses_tenant, 'domain', r.domain, 'configuration_set', r.configuration_set, 'ip_pool', r.ip_pool,
        'topic', s.observed ->> 'topic', 'enabled', s.observed -> 'enabled',
        'events', (select jsonb_agg(e order by e collate "C") from jsonb_array_elements_text(s.observed -> 'events') e))
      from route r
      left join ses_resource s on s.kind = 'event-destination' and s.name = r.configuration_set || '/outcome'
     where r.lane = of_lane
       and (r.tenant = nullif(current_setting('mailcordon.tenant', true), '')::int
            -- The reader sees nothing before it names a tenant; who may change a resource sees all.
            or nullif(current_setting('mailcordon.tenant', true), '') is null
               and has_table_privilege(session_user, 'mailcordon.ses_resource', 'update'))
     order by r.share desc, r.path limit 1
$$;
revoke all on function proof_parts(int) from public;
grant execute on function proof_parts(int) to {{control}}, {{reader}};

grant select on proof, proof_mail, proof_event to {{control}}, {{governor}}, {{send}}, {{observe}}, {{reader}};
grant insert, update, delete on proof, proof_mail, proof_event to {{control}};
grant update on proof_mail to {{send}};
grant insert on proof_event to {{observe}};
do $$
declare t text;
begin
    foreach t in array array['proof', 'proof_mail', 'proof_event'] loop
        execute format('alter table %I enable row level security', t);
        execute format('create policy own_tenant on %I for select to {{reader}} using (tenant = nullif(current_setting(''mailcordon.tenant'', true), '''')::int)', t);
        execute format('create policy planes on %I to {{control}}, {{governor}}, {{send}}, {{observe}} using (true) with check (true)', t);
    end loop;
end $$;
