-- Releases begin when their mail arrives (docs/pacing.md). As the send role.

-- name: open_releases
-- Those of these batches that are releases already. $1 to $3: lanes, kinds, names.
select u.o::int as o, r.id
  from unnest($1::int[], $2::text[], $3::text[]) with ordinality u (lane, kind, name, o)
  join release r on r.lane = u.lane and r.kind = u.kind and r.name = u.name and r.ended_at is null;

-- name: lanes_of_batches
-- What decides about new releases. `fresh`: the lane sent nothing to the list before today. `crowded`: the lane has $4 releases already.
select u.o::int as o, l.class, (select p.document::text from lane_policy p where p.lane = l.id) as document,
       u.kind = 'list' and not exists (select from slice s where s.lane = l.id and s.list = u.name
                                          and s.first_minute < (now_ms() / 86400000 * 1440)::int) as fresh,
       (select count(*) from release r where r.lane = l.id and r.ended_at is null) >= $4::int as crowded
  from unnest($1::int[], $2::text[], $3::text[]) with ordinality u (lane, kind, name, o)
  join lane l on l.id = u.lane
 order by u.o;

-- name: begin
-- False if it has begun already: another process accepts the same batch.
select begin_release($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- name: count
-- Adds accepted deliveries. $1 to $3: releases, tenants, deliveries; $4: the node of the process.
insert into release_intake as i (release, node, tenant, deliveries, last_at)
select u.release, $4::int, u.tenant, u.deliveries, now_ms()
  from unnest($1::int[], $2::int[], $3::bigint[]) u (release, tenant, deliveries) order by u.release
on conflict (release, node) do update set deliveries = i.deliveries + excluded.deliveries, last_at = excluded.last_at;
