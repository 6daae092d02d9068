-- Rollouts for people; to a tenant's key as the reader role.

-- name: rollouts
-- The newest first. $1: tenant, $2: whether it lasts, $3: below this id, $5: this one.
select r.*, e.slug,
       array(select l.lane from rollout_lane l where l.rollout = r.id order by l.lane) as lanes,
       array(select t.name from rollout_lane l join lane x on x.id = l.lane join message_type t on t.id = x.type
              where l.rollout = r.id order by l.lane) as types,
       exists (select from rollout_lane l where l.rollout = r.id and l.move_after is not null) as moving
  from rollout r join tenant e on e.id = r.tenant
 where ($1::int is null or r.tenant = $1) and ($2::boolean is null or $2 = (r.ended_at is null)) and ($3::int is null or r.id < $3)
   and ($5::int is null or r.id = $5)
 order by r.id desc limit $4;

-- name: steps
-- What was decided about a rollout, the newest first.
select at, what, from_share, to_share, by, sentence from rollout_step where rollout = $1 order by id desc limit 100;

-- name: overrides
-- What persons let pass in a rollout.
select key, share, by, because, at from rollout_override where rollout = $1 order by at desc, key;

-- name: freezes
-- Those of all tenants and of single ones, as the control role.
select f.id, e.slug as tenant, f.since, f.until, f.by, f.because
  from rollout_freeze f left join tenant e on e.id = f.tenant where f.until > now_ms() order by f.since, f.id;
