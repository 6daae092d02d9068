-- The queue is read by key, also by plans that were made while it was empty. A join of its tables with a batch reads all of them then, for each
-- batch and until they are analyzed (docs/decisions/113).

-- As before (0005, 0010).
create or replace function queue_forget(lanes int[], ids bigint[]) returns void language plpgsql
set search_path = pg_catalog, mailcordon, pg_temp set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off as $$
declare
    of_lanes int[];
    messages bigint[];
    gone int;
begin
    select array_agg(x.lane order by x.message), array_agg(x.message order by x.message) into of_lanes, messages
      from (select distinct u.lane, u.id & -64 as message from unnest(lanes, ids) u (lane, id)
             where u.lane = any (array(select l.id from lane l where l.id = any (lanes) and l.class = 0))) x;
    if messages is null then
        return;
    end if;
    for look in 1 .. 2 loop
        delete from urgent_content c
         where c.ctid = any (array(
               select (select o.ctid from urgent_content o where o.id = u.id) from unnest(of_lanes, messages) u (lane, id)
                where (select r.id from ready r where r.lane = u.lane and r.id > u.id and r.id < u.id + 64 limit 1) is null
                  and (select w.id from waiting w where w.lane = u.lane and w.id > u.id and w.id < u.id + 64 limit 1) is null));
        get diagnostics gone = row_count;
        exit when look = 2 or gone = cardinality(messages);
        perform from (select c.id from urgent_content c where c.id = any (messages) order by c.id for update) locked;
        exit when not found;
    end loop;
end $$;

-- A claim finds the mail that it saw at its place. With its id as well, the plan looks through the index by id alone.
do $do$
declare
    was text := pg_get_functiondef('claim_seen'::regproc);
    now text := replace(was, 'q.ctid = u.row and q.id = u.id and', 'q.ctid = u.row and q.id + 0 = u.id and');
begin
    if now = was then
        raise exception 'claim_seen is not as 0079 made it';
    end if;
    execute now;
end $do$;
