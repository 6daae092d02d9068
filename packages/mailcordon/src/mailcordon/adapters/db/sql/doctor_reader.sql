-- What `mailcordon doctor --aws` asks of the database server. As the login control.

-- name: server
-- The settings that Mailcordon depends on, and how many connections are in use.
select current_setting('server_version') as version, current_setting('autovacuum') as autovacuum,
       current_setting('full_page_writes') as full_page_writes, current_setting('max_locks_per_transaction')::int as locks,
       current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int as most,
       (select sum(numbackends) from pg_stat_database)::int as used;

-- name: may_read_migrations
-- Whether this login may see which migrations were applied.
select coalesce(has_table_privilege(to_regclass('public._pogo_migration'), 'select'), false);

-- name: migrations
-- The names of the migrations that were applied.
select migration_id from public._pogo_migration;

-- name: processes
-- What runs, with the version that each reports. $1: milliseconds after which one that is silent has ended. Versions before 0.2 report none.
select role, host, pid, facts ->> 'version' as version from role_health
 where abs(now_ms() - beat) <= $1::bigint order by role, host, pid limit 1000;
