-- Whether the database is the one that a host knows (send/lineage.py).

-- name: standing
-- What the database knows of a home, and whether a restoration is open.
select coalesce(d.beats, 0) as beats, coalesce(d.at, 0) as at,
       exists (select from restoration r where r.settled_at is null) as open
  from (values (1)) one left join dispatch_home d on d.home = $1;

-- name: report
-- One more report of a home that has as many as it remembers. A home that remembers none begins. It is no news that a
-- dispatcher still runs (0071-pulse.sql).
insert into dispatch_home as d (home, beats, at) select $1, 1, now_ms() where $2::bigint = 0 or exists (
    select from dispatch_home e where e.home = $1)
on conflict (home) do update set beats = d.beats + 1, at = greatest(d.at, now_ms()) where d.beats >= $2
returning beats, at, nextval('quiet_write');
