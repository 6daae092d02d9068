-- Releases and warm-ups for people; to a tenant's key as the reader role.

-- name: releases
-- The newest first. $1: tenant, $2: message type, $3: campaign or list, $4: whether it lasts, $5: below this id.
select r.*, e.slug, y.name as type, l.expiry_ms,
       coalesce((select sum(i.deliveries) from release_intake i where i.release = r.id), 0)::bigint as size,
       (select count(*) from (select from waiting w where w.send_limit = s.id limit 100000) n)::int as waiting
  from release r join lane l on l.id = r.lane join tenant e on e.id = r.tenant join message_type y on y.id = l.type
  left join send_limit s on s.tenant = r.tenant and s.owner = 'release' and s.lane = r.lane and s.scope = r.kind and r.ended_at is null
       and s.campaign is not distinct from case r.kind when 'campaign' then r.name end
       and s.list is not distinct from case r.kind when 'list' then r.name end
 where ($1::int is null or r.tenant = $1) and ($2::text is null or y.name = $2) and ($3::text is null or r.name = $3)
   and ($4::boolean is null or $4 = (r.ended_at is null)) and ($5::bigint is null or r.id < $5)
 order by r.id desc limit $6;

-- name: warm_ups
-- Of a tenant, or of one of its domains, with what left today.
select w.*, e.slug,
       coalesce((select sum(d.sent) from cohort_day d
                  where d.day = w.day and d.provider = w.provider
                    and d.lane in (select r.lane from route r
                                    where r.tenant = w.tenant and r.domain = w.domain and coalesce(r.ip_pool, '') = w.pool)), 0)::bigint
           as sent_today
  from warm_up w join tenant e on e.id = w.tenant
 where ($1::int is null or w.tenant = $1) and ($2::text is null or w.domain = $2)
 order by e.slug, w.domain, w.pool, w.provider limit $3;
