-- Claims of lanes with limits (docs/limits.md). Far from them: take as without limits, count at the end, and begin again if that was too much.
-- Near them: look, judge in memory, then take what is admitted and count it. Each in one transaction.

-- name: limits_of
-- Of these tenants, with the row that counts each.
select id, tenant, owner, scope, class, lane, api_key, campaign, list, provider, domain, per, cap, mode, because, spares_urgent, refuses, use
  from send_limit where tenant = any ($1::int[]) order by tenant, id;

-- name: lanes_of
-- Of these tenants, with what a limit may ask of them and what its sentence says.
select l.id, l.tenant, l.class, (select t.slug from tenant t where t.id = l.tenant) as slug,
       (select y.name from message_type y where y.id = l.type) as type,
       array(select distinct r.domain from route r where r.lane = l.id) as domains
  from lane l where l.tenant = any ($1::int[]) order by l.id;

-- name: meet
-- Makes the limits of campaigns and providers that these lanes meet for the first time. Before the claim, since a change of limits locks more.
select meet_each($1, $2, $3, $4);

-- name: look
-- What `claim` would take, without taking it. $7: 1, the lane has limits of addresses; 2, of API keys; 4, of addresses with one kind of mail;
-- 8, it has two paths and limits of the domain of one. The last row, without a turn, has the server's time in ms.
with l as (
    select * from unnest($1::int[], $2::int[], $3::bigint[], $4::int[], $5::int[], $6::smallint[], $7::int[])
                    u (lane, budget, cutoff, turn, turn_budget, class, asks)
)
select x.*, case when x.repeat is not null then (select array[r.minute, r.in_minute, r.hour, r.in_hour, r.day, r.in_day, 0]::bigint[]
                                                   from recipient_use r where r.lane = x.lane and r.hash = x.repeat) end as repeat_used
  from (
select x.turn, x.lane, x.id, x.row, x.tenant, (x.attempt + 1)::smallint as attempt, x.provider, x.campaign, x.list,
       exists (select from suppression s where s.tenant = x.tenant and s.hash = x.hash
                and (s.scope = 0 or s.scope = 1 and s.target = x.class or s.scope = 2 and s.target = x.lane)
                and (s.until is null or s.until > $8))
         or exists (select from platform_suppression p where p.hash = x.hash and (p.class is null or p.class = x.class)) as dead, null::text as suppressed,
       case when x.asks & 5 <> 0 then x.hash end as hash,
       case when x.asks & 2 <> 0 then (select m.api_key from message m where m.id = (x.id & -64)) end as api_key,
       case when x.asks & 8 <> 0 then (
           select r.domain from message m join route r on r.lane = m.lane and r.path = path_of(m.path, m.other_path, x.id)
            where m.id = (x.id & -64)) end as domain,
       case when x.asks & 1 <> 0 then (select array[r.minute, r.in_minute, r.hour, r.in_hour, r.day, r.in_day, 0]::bigint[]
                                         from recipient_use r where r.lane = x.lane and r.hash = x.hash) end as used,
       null::float8 as took,
       case when x.asks & 4 <> 0 then (select substr(sha256(x.hash || int4send(m.alike)), 1, 16) from message m where m.id = (x.id & -64)) end as repeat
  from (select l.lane, l.class, l.turn, l.turn_budget, l.asks, q.*,
               row_number() over (partition by l.turn order by q.n, l.lane) as place
          from l cross join lateral (
               select r.*, row_number() over (order by r.id) as n
                 from (select ctid as row, id, tenant, attempt, provider, campaign, list, hash from ready
                        where ready.lane = l.lane and ready.id >= l.cutoff and ready.state = 0 order by id limit l.budget) r) q) x
 where x.place <= x.turn_budget) x
union all
select null, null, null, null, null, null, null, null, null, null, null, null, null, null, null,
       (extract(epoch from clock_timestamp() - statement_timestamp()) * 1000)::float8, null, null;

-- name: uses
-- What is counted in these rows. Those that several turns share ($1) are locked, in the order of their ids, until the claim ends; the turns
-- of the others ($2) are locked by us, so nobody else counts there.
with s as materialized (
    select id, minute, in_minute, hour, in_hour, day, in_day, ever from limit_use where id = any ($1::int[]) order by id for no key update
)
select * from s union all
select id, minute, in_minute, hour, in_hour, day, in_day, ever from limit_use where id = any ($2::int[]);

-- name: take
-- Records the intent to send, as `claim`. It is counted when the claim ends.
update ready q set state = 1, attempt = q.attempt + 1, worker = $3, called_at = $2
  from unnest($1::tid[]) m (row) where q.ctid = m.row and q.state = 0
returning q.id;

-- name: return_turns
-- As `return_turns` of queue_store.sql ($1 to $7), and counts what was taken: rows that count ($8, those that several turns share first, both
-- in the order of their ids) by $9, then rows of addresses ($18 to $20), as in `uncount` of result_store.sql. A window in the future counts
-- on, up to 60 minutes, 24 hours and 7 days; one that is farther ahead is brought to now (guard/limits/windows.py). $10 to $13: the least
-- cap of a minute, an hour, a day and for ever, or 2^62 if there is none; $14 to $17: the same of each address of a lane. Returns what is
-- over a cap, or has one in a window that has not begun: rows that count, and lanes with such an address. Then the content of what was claimed
-- ($21 to $25), as there. $26: limits in shadow mode count it, too.
with w as (
    select ($7::bigint / 60000000)::int as minute, ($7 / 3600000000)::int as hour, ($7 / 86400000000)::int as day, 1::bigint << 62 as never
), b as (
    update lane l set tokens = u.tokens, tokens_at = u.at from unnest($4::int[], $5::real[], $6::bigint[]) u (lane, tokens, at)
     where l.id = u.lane
), t as (
    update turn t set next_at = coalesce($7::bigint + u.place, u.at)
      from unnest($1::tid[], $2::int[], $3::bigint[]) u (row, place, at)
     where t.ctid = u.row
), c as (
    update limit_use x
       set minute = case when x.minute > w.minute and x.minute <= w.minute + 60 then x.minute else w.minute end,
           in_minute = case when x.minute >= w.minute then x.in_minute else 0 end + u.n,
           hour = case when x.hour > w.hour and x.hour <= w.hour + 24 then x.hour else w.hour end,
           in_hour = case when x.hour >= w.hour then x.in_hour else 0 end + u.n,
           day = case when x.day > w.day and x.day <= w.day + 7 then x.day else w.day end,
           in_day = case when x.day >= w.day then x.in_day else 0 end + u.n,
           ever = x.ever + u.n
      from unnest($8::text::int[], $9::text::int[], $10::text::bigint[], $11::text::bigint[], $12::text::bigint[], $13::text::bigint[])
             u (use, n, per_minute, per_hour, per_day, in_all)
     cross join w where x.id = u.use
    returning x.id, x.in_minute > u.per_minute or x.minute > w.minute and u.per_minute < w.never
                 or x.in_hour > u.per_hour or x.hour > w.hour and u.per_hour < w.never
                 or x.in_day > u.per_day or x.day > w.day and u.per_day < w.never or x.ever > u.in_all as over
), a as (
    insert into recipient_use as x (lane, hash, minute, in_minute, hour, in_hour, day, in_day)
    select u.lane, u.hash, w.minute, u.n, w.hour, u.n, w.day, u.n from unnest($18::text::int[], $19::text::bytea[], $20::text::int[]) u (lane, hash, n) cross join w
     where (select count(*) from c) >= 0 order by u.lane, u.hash
    on conflict (lane, hash) do update
    set minute = case when x.minute > excluded.minute and x.minute <= excluded.minute + 60 then x.minute else excluded.minute end,
        in_minute = case when x.minute >= excluded.minute then x.in_minute else 0 end + excluded.in_minute,
        hour = case when x.hour > excluded.hour and x.hour <= excluded.hour + 24 then x.hour else excluded.hour end,
        in_hour = case when x.hour >= excluded.hour then x.in_hour else 0 end + excluded.in_hour,
        day = case when x.day > excluded.day and x.day <= excluded.day + 7 then x.day else excluded.day end,
        in_day = case when x.day >= excluded.day then x.in_day else 0 end + excluded.in_day
    returning x.lane, x.minute, x.in_minute, x.hour, x.in_hour, x.day, x.in_day
)
select c.id as use, null::int as lane, null::bigint as id, null::text[] as recipients, null::text as path, null::bigint as others,
       null::int as large, null::bytea as body
  from c where c.over
union all
select distinct null::int, a.lane, null::bigint, null::text[], null::text, null::bigint, null::int, null::bytea
  from a join unnest($14::text::int[], $15::text::bigint[], $16::text::bigint[], $17::text::bigint[]) u (lane, per_minute, per_hour, per_day) on u.lane = a.lane cross join w
 where a.in_minute > u.per_minute or a.minute > w.minute and u.per_minute < w.never
    or a.in_hour > u.per_hour or a.hour > w.hour and u.per_hour < w.never
    or a.in_day > u.per_day or a.day > w.day and u.per_day < w.never
union all
select null::int, null::int, null::bigint, null::text[], null::text, null::bigint, null::int, null::bytea
  from (select count_shadow($8::text::int[], $9::text::int[], $7::bigint / 1000) as over where $26::boolean and (select count(*) from c) >= 0 offset 0) s
 where s.over < 0
union all
select null::int, null::int,
       m.id, m.recipients, m.path, m.other_path, case when m.bytes > $25::int then m.bytes else 0 end as large,
       case when m.bytes > $25 then null
            when $24 then (select u.body from urgent_content u where u.id = m.id)
            else (select c.body from content c where c.id = m.id and c.id between $22 and $23) end as body
  from message m where m.id = any ($21::bigint[]) and m.id between $22 and $23;

-- name: bring_back
-- Windows of rows that are too far ahead of the clock to count on. Where such a row is used up, nothing would count there, and
-- so nothing else would bring it back.
update limit_use x
   set minute = case when x.minute > w.minute + 60 then w.minute else x.minute end,
       hour = case when x.hour > w.hour + 24 then w.hour else x.hour end,
       day = case when x.day > w.day + 7 then w.day else x.day end
  from unnest($1::int[]) u (use)
 cross join (select ($2::bigint / 60000)::int as minute, ($2::bigint / 3600000)::int as hour, ($2::bigint / 86400000)::int as day) w
 where x.id = u.use and (x.minute > w.minute + 60 or x.hour > w.hour + 24 or x.day > w.day + 7);

-- name: shadow
-- What limits in shadow mode would have held.
insert into limit_shadow as s (send_limit, tenant, mails, first_at, last_at)
select u.id, l.tenant, u.n, $3, $3 from unnest($1::int[], $2::int[]) u (id, n) join send_limit l on l.id = u.id order by u.id
on conflict (send_limit) do update set mails = s.mails + excluded.mails, last_at = excluded.last_at;

-- name: park
-- Of the next $3 of each lane: what is over a used-up limit waits for it, or is refused if the limit says so. $4 to $16 are the limits: a lane
-- and what they are about. Returns how many left the lanes' heads.
with h as materialized (
    select * from unnest($4::int[], $5::int[], $6::smallint[], $7::text[], $8::text[], $9::int[], $10::bytea[], $11::bigint[], $12::text[], $13::text[],
                         $14::boolean[], $15::bytea[], $16::text[])
                    with ordinality u (lane, send_limit, provider, campaign, list, api_key, hash, until, sentence, code, refuses, repeat, domain, n)
), x as materialized (
    select r.lane, r.id, (select h.n from h
                           where h.lane = r.lane and (h.provider is null or h.provider = r.provider)
                             and (h.campaign is null or h.campaign = r.campaign) and (h.list is null or h.list = r.list)
                             and (h.hash is null or h.hash = r.hash)
                             and (h.api_key is null or h.api_key = (select m.api_key from message m where m.id = (r.id & -64)))
                             and (h.repeat is null or h.hash = r.hash and h.repeat = (
                                  select substr(sha256(r.hash || int4send(m.alike)), 1, 16) from message m where m.id = (r.id & -64)))
                             and (h.domain is null or h.domain = (
                                 select o.domain from message m join route o on o.lane = m.lane and o.path = path_of(m.path, m.other_path, r.id)
                                  where m.id = (r.id & -64)))
                           order by h.n limit 1) as n
      from unnest($1::int[], $2::bigint[]) u (lane, start)
     cross join lateral (select ready.lane, ready.id, ready.provider, ready.campaign, ready.list, ready.hash from ready
                          where ready.lane = u.lane and ready.id >= u.start and ready.state = 0 order by ready.id limit $3) r
), w as materialized (
    select queue_limit(array_agg(x.lane order by x.lane, x.id), array_agg(x.id order by x.lane, x.id),
                       array_agg(h.send_limit order by x.lane, x.id), array_agg(h.until order by x.lane, x.id),
                       array_agg(h.sentence order by x.lane, x.id), array_agg(h.code order by x.lane, x.id)) as n
      from x join h on h.n = x.n where not h.refuses having count(*) > 0
), f as materialized (
    select count(f.id) as n
      from (select array_agg(x.lane order by x.lane, x.id) as lanes, array_agg(x.id order by x.lane, x.id) as ids,
                   array_agg(10::smallint) as states, array_agg(h.code order by x.lane, x.id) as codes,
                   array_agg(h.sentence order by x.lane, x.id) as sentences
              from x join h on h.n = x.n where h.refuses having count(*) > 0) a
     cross join lateral queue_finish(a.lanes, a.ids, null, 1, a.states, null, null, a.codes, a.sentences, 0) f
)
select (coalesce((select n from w), 0) + coalesce((select n from f), 0))::int;

-- name: addresses
-- Of these deliveries: the simulator's have no limit of their own.
select (u.id & -64) as message, u.id, (select m.recipients[(u.id & 63)::int] from message m where m.id = (u.id & -64)) as address
  from unnest($1::bigint[]) u (id);
