-- Limits with what is counted in them and what waits for them, for people.

-- name: limits
-- Of a tenant ($1) or all, of a lane ($2, with its class and domains) or all, of an owner or all, or only one ($6). Mail that waits is mail set
-- aside for the limit and, where a limit about whole lanes is used up, the mail of these lanes. Each count ends at 100,000.
select s.id, s.tenant, s.owner, s.scope, s.class, s.lane, s.api_key, s.campaign, s.list, s.provider, s.domain, s.per, s.cap, s.mode, s.because,
       s.spares_urgent, s.refuses, now_ms() as now,
       (select t.slug from tenant t where t.id = s.tenant) as slug,
       (select y.name from lane l join message_type y on y.id = l.type where l.id = s.lane) as type,
       case when s.use is not null then (
           select array[u.minute, u.in_minute, u.hour, u.in_hour, u.day, u.in_day, u.ever]::bigint[] from limit_use u where u.id = s.use) end as used,
       (select count(*) from (select from waiting w where w.send_limit = s.id limit 100000) x) as waiting,
       d.mails as would_have_held, d.first_at as would_since
  from send_limit s left join limit_shadow d on d.send_limit = s.id
 where ($1::int is null or s.tenant = $1) and s.id > $4 and ($6::int is null or s.id = $6) and ($3::text is null or s.owner = $3)
   and ($2::int is null or exists (
        select from lane l where l.id = $2 and l.tenant = s.tenant and (s.lane is null or s.lane = l.id) and (s.class is null or s.class = l.class)
           and (s.domain is null or exists (select from route r where r.lane = l.id and r.domain = s.domain))))
 order by s.id limit $5;

-- name: ready_of
-- Mail that is ready in the lanes that limits are about as a whole ($1), at most 100,000 for each. Not urgent mail that the limit spares.
select s.id, (select count(*) from (
           select from lane l join ready r on r.lane = l.id and r.state = 0
            where l.tenant = s.tenant and (s.lane is null or s.lane = l.id) and (s.class is null or s.class = l.class)
              and (s.domain is null or exists (select from route x where x.lane = l.id and x.domain = s.domain))
              and not (l.class = 0 and s.spares_urgent and s.scope in ('tenant', 'key', 'identity')) limit 100000) x) as mails
  from send_limit s where s.id = any ($1::int[]);

-- name: of_lanes
-- The enforced limits about all mail of each of these lanes, with what is counted in them: why a lane rests.
select l.id as of_lane, l.class as of_class, y.name as type, t.slug, now_ms() as now, s.*,
       array[u.minute, u.in_minute, u.hour, u.in_hour, u.day, u.in_day, u.ever]::bigint[] as used
  from lane l join message_type y on y.id = l.type join tenant t on t.id = l.tenant
  join send_limit s on s.tenant = l.tenant and s.mode = 'enforce' and (s.lane is null or s.lane = l.id) and (s.class is null or s.class = l.class)
  join limit_use u on u.id = s.use
 where l.id = any ($1::int[]) and s.scope not in ('each-campaign', 'each-provider') and s.provider is null and s.campaign is null and s.list is null and s.api_key is null and not s.refuses
   and (s.domain is null or exists (select from route r where r.lane = l.id and r.domain = s.domain))
   and not (l.class = 0 and s.spares_urgent and s.scope in ('tenant', 'key', 'identity'))
 order by l.id, s.id;

-- name: key_names
-- Of API keys, for the sentences of their limits.
select id, name from api_key where id = any ($1::int[]);
