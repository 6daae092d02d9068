-- Facts about the database itself.

-- name: oldest_snapshot
-- Seconds since the start of the oldest transaction that keeps PostgreSQL from removing dead rows; null if there is none.
select extract(epoch from max(now() - xact_start))::float8
from pg_stat_activity
where backend_xmin is not null and pid <> pg_backend_pid();

-- name: last_partition
-- The day of the furthest partition of `message`, as YYYYMMDD: partitions are named by their day.
select max(right(c.relname, 8))
from pg_inherits i
join pg_class c on c.oid = i.inhrelid
where i.inhparent = to_regclass('message') and c.relname ~ '_p[0-9]{8}$';
