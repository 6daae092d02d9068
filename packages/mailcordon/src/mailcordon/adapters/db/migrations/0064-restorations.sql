-- A restored database sends nothing (docs/decisions/088-after-a-restore.md). Times are milliseconds since 1970.

-- A row for each home in which dispatchers run: how often they have reported here. The home keeps the same number outside of the
-- database, so a row that is missing or behind that number is one of a backup.
create table dispatch_home (
    home uuid primary key,
    beats bigint not null check (beats > 0),
    at bigint not null
) with (fillfactor = 50);
grant select, insert, update on dispatch_home to {{send}};
grant select on dispatch_home to {{control}}, {{governor}};

-- That the database was restored: who found it, and what became of the mail that was queued in the backup.
create table restoration (
    id bigint generated always as identity primary key,
    found_at bigint not null,
    found_by text not null check (found_by <> ''),
    because text not null check (because <> ''),
    backup_at bigint,                                       -- the newest moment that the backup knows of; null: it is not known
    settled_at bigint,
    settled_by text,
    settled_because text,
    sent int not null default 0,                            -- deliveries that SES has, as a Send event of theirs says
    called int not null default 0,                          -- that SES was called for, and whose outcome is lost
    dropped int not null default 0,
    kept int not null default 0,                            -- that stayed queued
    check ((settled_at is null) = (settled_by is null))
);
create unique index restoration_open on restoration ((true)) where settled_at is null;
grant select on restoration to {{control}}, {{governor}}, {{send}}, {{observe}};
grant insert, update on restoration to {{governor}};

-- The attempt of a call that the backup does not know, so that its late events find the delivery.
create function raise_attempts(ids bigint[], attempts smallint[]) returns void language sql as $$
    update ledger l set attempt = u.attempt from unnest(ids, attempts) u (id, attempt)
     where l.id = u.id and l.id between (select min(x) from unnest(ids) x) and (select max(x) from unnest(ids) x) and l.attempt < u.attempt
$$;

-- Rights ------------------------------------------------------------------------------------------------------------------------

revoke all on function raise_attempts(bigint[], smallint[]) from public;
grant execute on function raise_attempts(bigint[], smallint[]) to {{governor}};
grant update (attempt) on ledger to {{governor}};
