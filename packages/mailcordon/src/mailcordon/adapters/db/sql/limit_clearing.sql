-- Mail that waits for a limit becomes ready as the limit has room again.

-- name: waiting_limits
-- Limits for which mail waits, with what they have counted. `stands` is false for one that is gone or holds nothing any more,
-- such as the built-in limit of an address where somebody has set another.
with recursive ids as (
    (select w.send_limit as id from waiting w where w.send_limit is not null order by w.send_limit limit 1)
    union all
    select (select w.send_limit from waiting w where w.send_limit > s.id order by w.send_limit limit 1) from ids s where s.id is not null
)
select s.id, coalesce(l.mode = 'enforce', false) and not (l.owner = 'default' and exists (
           select from send_limit o where o.tenant = l.tenant and o.scope = l.scope and o.lane = l.lane and o.owner <> 'default')) as stands, l.scope, l.per, l.cap, l.lane,
       array[u.minute, u.in_minute, u.hour, u.in_hour, u.day, u.in_day, u.ever]::bigint[] as used, now_ms() as now
  from ids s left join send_limit l on l.id = s.id left join limit_use u on u.id = l.use where s.id is not null order by s.id;

-- name: give_back
-- The oldest mail that waits for a limit.
select coalesce(queue_ready(array_agg(x.lane), array_agg(x.id)), 0)
  from (select lane, id from waiting where send_limit = $1 order by id limit $2) x having count(*) > 0;

-- name: give_back_addresses
-- Of the next $3 addresses after $2 for which mail waits: the oldest of each, as many as may leave in this window ($4: the cap, $5: minute, hour
-- or day, $6: the lane), at most $7. With the last address and how many were looked at.
with recursive a as (
    (select w.hash, 1 as n from waiting w where w.send_limit = $1 and w.code = 'recipient-limit' and w.hash > $2 order by w.hash limit 1)
    union all
    select (select w.hash from waiting w where w.send_limit = $1 and w.code = 'recipient-limit' and w.hash > a.hash order by w.hash limit 1), a.n + 1
      from a where a.hash is not null and a.n < $3
), r as materialized (
    select a.hash, least($7::bigint, greatest(0, $4::bigint - coalesce((
               select case $5::text when 'minute' then case when u.minute >= now_ms() / 60000 then u.in_minute end
                                    when 'hour' then case when u.hour >= now_ms() / 3600000 then u.in_hour end
                                    else case when u.day >= now_ms() / 86400000 then u.in_day end end
                 from recipient_use u where u.lane = $6 and u.hash = a.hash), 0))) as room
      from a where a.hash is not null
), m as materialized (
    select queue_ready(array_agg(x.lane), array_agg(x.id)) as n
      from r cross join lateral (
           select w.lane, w.id from waiting w
            where w.send_limit = $1 and w.code = 'recipient-limit' and w.hash = r.hash order by w.id limit r.room) x
    having count(*) > 0
)
select coalesce((select n from m), 0) as moved, (select hash from a where hash is not null order by n desc limit 1) as last,
       (select count(hash) from a) as addresses;

-- name: give_back_repeats
-- As `give_back_addresses`, for a limit of each address with each kind of mail, which are counted apart. Of an address, the oldest 1,000 are
-- looked at.
with recursive a as (
    (select w.hash, 1 as n from waiting w where w.send_limit = $1 and w.code = 'recipient-limit' and w.hash > $2 order by w.hash limit 1)
    union all
    select (select w.hash from waiting w where w.send_limit = $1 and w.code = 'recipient-limit' and w.hash > a.hash order by w.hash limit 1), a.n + 1
      from a where a.hash is not null and a.n < $3
), k as materialized (
    select w.lane, w.id, w.key, row_number() over (partition by a.hash, w.key order by w.id) as place
      from a cross join lateral (
           select w.lane, w.id, (select substr(sha256(a.hash || int4send(m.alike)), 1, 16) from message m where m.id = (w.id & -64)) as key
             from waiting w
            where w.send_limit = $1 and w.code = 'recipient-limit' and w.hash = a.hash order by w.id limit 1000) w
     where a.hash is not null
), r as materialized (
    select k.key, least($7::bigint, greatest(0, $4::bigint - coalesce((
               select case $5::text when 'minute' then case when u.minute >= now_ms() / 60000 then u.in_minute end
                                    when 'hour' then case when u.hour >= now_ms() / 3600000 then u.in_hour end
                                    else case when u.day >= now_ms() / 86400000 then u.in_day end end
                 from recipient_use u where u.lane = $6 and u.hash = k.key), 0))) as room
      from (select distinct key from k) k
), m as materialized (
    select queue_ready(array_agg(k.lane order by k.lane, k.id), array_agg(k.id order by k.lane, k.id)) as n
      from k join r on r.key is not distinct from k.key where k.place <= r.room having count(*) > 0
)
select coalesce((select n from m), 0) as moved, (select hash from a where hash is not null order by n desc limit 1) as last,
       (select count(hash) from a) as addresses;

-- name: forget_addresses
-- Counts of addresses whose day has passed.
delete from recipient_use where ctid = any (array(select ctid from recipient_use where day < now_ms() / 86400000 limit $1));
