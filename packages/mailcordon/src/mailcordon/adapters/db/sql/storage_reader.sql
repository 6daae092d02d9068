-- What the tables take on disk. Needs the login control.

-- name: today
-- The day by the database's clock.
select (to_timestamp(now_ms() / 1000.0) at time zone 'UTC')::date;

-- name: tables
-- Every table with the sizes of its partitions; tables without partitions count as one of their own.
with in_default as materialized (
    select parent, rows from rows_in_default($1)
), tables as (
    select coalesce(p.relname, c.relname)::text as name, c.oid, p.oid is not null and p.relkind = 'p' as daily,
           case when c.relname ~ '_p[0-9]{8}$' then to_date(right(c.relname, 8), 'YYYYMMDD') end as day
    from pg_class c
    left join pg_inherits i on i.inhrelid = c.oid
    left join pg_class p on p.oid = i.inhparent
    where c.relkind = 'r' and c.relnamespace = current_schema()::regnamespace
)
select t.name, sum(pg_total_relation_size(t.oid))::bigint as bytes,
       min(t.day) filter (where t.daily) as first_day, max(t.day) filter (where t.daily) as last_day,
       coalesce((select d.rows from in_default d where d.parent = t.name), 0) as in_default
from tables t
group by t.name
order by bytes desc, t.name;
