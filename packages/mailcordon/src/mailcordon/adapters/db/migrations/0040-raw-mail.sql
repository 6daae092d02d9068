-- Mail that is sent later, and an app's own tags.

alter table message
    add column tags jsonb,                                  -- the app's own: strings by key
    add column send_at bigint,                              -- the time it is scheduled for; its id has this time
    add column accepted_at bigint;                          -- of scheduled mail; else the id has it

-- Ids of scheduled mail are made by all processes for the same times, so they share one count.
create sequence scheduled_place;
grant usage on sequence scheduled_place to {{send}};

-- Mail may be scheduled for a day whose partitions are made later. Until then its rows are in the default ones, where they are no
-- fault; `ensure_partitions` moves them.
create or replace function rows_in_default(most bigint) returns table (parent text, rows bigint)
language plpgsql stable security definer set search_path = pg_catalog, mailcordon, pg_temp as $$
declare d record;
begin
    for d in select * from daily_tables() loop
        return query execute format(
            'select %1$L, count(*) from (select from mailcordon.%2$I where %3$I < %4$s or %3$I >= %5$s limit %6$s) x',
            d.parent, d.parent || '_default', d.key, first_key_of(d.key, owner_today() + 14), first_key_of(d.key, owner_today() + 32),
            least(greatest(coalesce(most, 0), 0), 100000));
    end loop;
end $$;
