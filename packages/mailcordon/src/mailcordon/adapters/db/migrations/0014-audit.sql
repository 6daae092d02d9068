-- An audit trail that proves itself, and keys that carry their holder (docs/audit.md).

-- Keys ----------------------------------------------------------------------------------------------------------------------

-- The person or the part of a system that uses the key: the actor of what it does. Until here the name said it.
alter table api_key add column holder text;
update api_key set holder = name;
alter table api_key alter column holder set not null;

-- Rows ------------------------------------------------------------------------------------------------------------------------

-- `salt`: 122 random bits, so that nobody can guess a row from its digest. `personal`: {name: {value, salt, hash}}, what an erasure
-- takes out; `object` and `because` name it as {name}.
alter table audit
    add column salt bytea not null default uuid_send(gen_random_uuid()),
    add column personal jsonb;

-- One part of a canonical form: its length in bytes of UTF-8, a colon and its text, or a minus sign for null; then a line break.
create function audit_part(part text) returns text language sql stable
    return coalesce(octet_length(convert_to(part, 'UTF8'))::text || ':' || part, '-') || E'\n';

-- {name: text} as it is stored: each value with a salt of its own and the hash that the row's digest contains.
create function audit_personal(given jsonb) returns jsonb language sql volatile
    return (
        select jsonb_object_agg(f.name, jsonb_build_object('value', f.value, 'salt', f.salt, 'hash', encode(sha256(convert_to(
                   audit_part('mailcordon-audit-personal-1') || audit_part(f.salt) || audit_part(f.name) || audit_part(f.value),
                   'UTF8')), 'hex')))
          from (select e.key as name, e.value, encode(uuid_send(gen_random_uuid()), 'hex') as salt
                  from jsonb_each_text(given) e where e.value is not null offset 0) f
    );

-- What an erasure leaves of it.
create function audit_erased(personal jsonb) returns jsonb language sql stable
    return (select jsonb_object_agg(f.key, jsonb_build_object('hash', f.value -> 'hash')) from jsonb_each(personal) f);

-- What a row's digest is made of, as control/audit_chain.py makes it. JSON is taken in PostgreSQL's own text of jsonb.
create function audit_form(one audit) returns text language sql stable
    return audit_part('mailcordon-audit-1') || audit_part(encode(one.salt, 'hex')) || audit_part(one.id::text)
        || audit_part((extract(epoch from one.at) * 1000000)::bigint::text) || audit_part(one.actor) || audit_part(one.action)
        || audit_part(one.tenant::text) || audit_part(one.object) || audit_part(one.before::text) || audit_part(one.after::text)
        || audit_part(one.because)
        || audit_part((select string_agg(f.key || '=' || (f.value ->> 'hash'), ',' order by f.key collate "C")
                         from jsonb_each(one.personal) f));

create function audit_digest(one audit) returns bytea language sql stable
    return sha256(convert_to(audit_form(one), 'UTF8'));

drop function write_audit(text, text, int, text, jsonb, jsonb, text);
create function write_audit(actor text, action text, tenant int, object text, before jsonb, after jsonb, because text,
                            personal jsonb default null) returns void
language plpgsql as $$
begin
    insert into audit (actor, action, tenant, object, before, after, because, personal)
    values (write_audit.actor, write_audit.action, write_audit.tenant, write_audit.object, write_audit.before, write_audit.after,
            write_audit.because, audit_personal(write_audit.personal));
end $$;

-- Chain -----------------------------------------------------------------------------------------------------------------------

-- hash = sha256(hash of the row before, digest of this row); 32 zero bytes come before the first.
create table audit_chain (
    seq bigint primary key,                                 -- without gaps, from 1
    audit bigint not null unique,
    digest bytea not null,
    hash bytea not null
);

-- The lock of all who append. Its row never changes: a transaction of many rows would search all versions of it.
create table audit_lock (
    only_row boolean primary key default true check (only_row)
);
insert into audit_lock default values;

-- Runs at the end of the transaction (the trigger is deferred), so that this lock is the last one that it takes and is held for the
-- commit alone: transactions that also lock epochs, lanes and holds cannot deadlock over it.
create function audit_chained() returns trigger language plpgsql security definer
set search_path = pg_catalog, mailcordon, pg_temp set enable_seqscan = off as $$
declare
    its_digest bytea := audit_digest(new);
    last audit_chain;
begin
    perform from audit_lock for update;
    if not found then
        raise exception 'the lock of the audit chain is missing';
    end if;
    select * into last from audit_chain c order by c.seq desc limit 1;
    insert into audit_chain (seq, audit, digest, hash)
    values (coalesce(last.seq, 0) + 1, new.id, its_digest, sha256(coalesce(last.hash, decode(repeat('00', 32), 'hex')) || its_digest));
    return null;
end $$;

-- The rows until here, in the order of their ids. Addresses that they name become personal fields first, so that they can be erased.
drop trigger audit_append_only on audit;
with named as (
    select a.id, substring(a.object from '^suppression of (.+)(?:, scope [a-z]+| for [a-z0-9-]+)$') as address
      from audit a where a.action in ('suppression.add', 'suppression.remove', 'suppression.removed')
)
update audit a
   set object = 'suppression of {address}' || substr(a.object, length('suppression of ' || n.address) + 1),
       because = case when a.action = 'suppression.removed' or a.because is null then a.because else '{because}' end,
       personal = audit_personal(jsonb_strip_nulls(jsonb_build_object(
           'address', n.address, 'because', case when a.action <> 'suppression.removed' then a.because end)))
  from named n where n.id = a.id and n.address is not null;

do $$
declare
    one record;
    place bigint := 0;
    last bytea := decode(repeat('00', 32), 'hex');
begin
    for one in select a.id, audit_digest(a) as digest from audit a order by a.id loop
        place := place + 1;
        last := sha256(last || one.digest);
        insert into audit_chain (seq, audit, digest, hash) values (place, one.id, one.digest, last);
    end loop;
end $$;

create constraint trigger audit_chained after insert on audit deferrable initially deferred
    for each row execute function audit_chained();

-- What may change ---------------------------------------------------------------------------------------------------------------

-- Nothing in a row but its personal fields, and those only by losing their values and salts.
create function audit_is_only_erased() returns trigger language plpgsql set search_path = pg_catalog, mailcordon, pg_temp as $$
declare
    erased audit := old;
begin
    erased.personal := audit_erased(old.personal);
    if not new *= erased then
        raise exception 'the audit table is append-only: % refused', tg_op using errcode = 'insufficient_privilege';
    end if;
    return new;
end $$;
create trigger audit_only_erased before update on audit for each row execute function audit_is_only_erased();
create trigger audit_append_only before delete or truncate on audit for each statement execute function audit_is_append_only();
create trigger audit_chain_append_only before update or delete or truncate on audit_chain
    for each statement execute function audit_is_append_only();
create trigger audit_lock_append_only before update or delete or truncate on audit_lock
    for each statement execute function audit_is_append_only();

-- Ends the personal fields of one tenant's rows. Returns of how many rows. The chain stays verifiable: it contains their hashes.
create function audit_erase_personal(of_tenant int) returns bigint
language plpgsql security definer set search_path = pg_catalog, mailcordon, pg_temp as $$
declare
    erased bigint;
begin
    update audit a set personal = audit_erased(a.personal)
     where a.tenant = of_tenant and exists (select from jsonb_each(a.personal) f where f.value ? 'value');
    get diagnostics erased = row_count;
    return erased;
end $$;

-- Rights ------------------------------------------------------------------------------------------------------------------------

revoke all on function audit_part(text), audit_personal(jsonb), audit_erased(jsonb), audit_form(audit), audit_digest(audit),
    audit_chained(), audit_is_only_erased(), audit_erase_personal(int),
    write_audit(text, text, int, text, jsonb, jsonb, text, jsonb) from public;
grant execute on function write_audit(text, text, int, text, jsonb, jsonb, text, jsonb), audit_personal(jsonb), audit_part(text)
    to {{control}}, {{governor}}, {{observe}};
grant execute on function audit_erase_personal(int) to {{control}};
grant select on audit_chain to {{control}}, {{reader}};
grant select (name) on installation to {{reader}};

-- A tenant reads its own rows, and of the others only that they are there.
grant select on audit to {{reader}};
alter table audit enable row level security;
create policy own_tenant on audit for select to {{reader}}
    using (tenant = nullif(current_setting('mailcordon.tenant', true), '')::int);
create policy planes on audit to {{control}}, {{governor}}, {{observe}} using (true) with check (true);
