-- Lost and late feedback, as shown by `mailcordon feedback` and `lane show`.

-- name: losses
-- The newest first; of a tenant (not null), those that cover a lane of its own, with its types.
select x.id, x.signal, x.configuration_set, x.provider, x.since, x.until, x.raised_at, x.cause, x.because, x.late, x.missing, x.evidence,
       case when $1::int is not null then m.types else '{}' end as types
  from feedback_loss x
  left join lateral (
      select array_agg(distinct t.name order by t.name) as types
        from feedback_mark k join lane l on l.id = k.lane join message_type t on t.id = l.type
       where k.loss = x.id and k.tenant = $1 and l.retired_at is null) m on $1::int is not null
 where ($1::int is null or m.types is not null) and ($2::boolean is null or $2 = (x.ended_at is null))
   and ($3::bigint is null or x.id < $3)
 order by x.id desc limit $4;

-- name: own_losses
-- Which lanes of the tenant that the transaction names are concerned.
select t.name as type, k.lane, k.signal, k.provider, k.since, k.until, k.late
  from own_feedback_mark k join lane l on l.id = k.lane join message_type t on t.id = l.type
 where l.retired_at is null and ($1::boolean is null or $1 = (k.until is null))
 order by k.since desc, t.name limit $2;

-- name: lane_of
-- A lane by its names.
select l.id from lane l join tenant e on e.id = l.tenant join message_type t on t.id = l.type where e.slug = $1 and t.name = $2;
