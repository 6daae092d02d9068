-- Facts about the database itself.

-- name: oldest_snapshot
-- Seconds since the start of the oldest transaction that keeps PostgreSQL from removing dead rows; null if there is none.
select extract(epoch from max(now() - xact_start))::float8
from pg_stat_activity
where backend_xmin is not null and pid <> pg_backend_pid();
