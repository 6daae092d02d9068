-- Finding messages. Every walk goes from the newest id to older ones: $1 is the first id, $2 the id after the last one, both of
-- deliveries, and $3 is how many are returned at most. What is of one tenant is read from the newest row of each of its keys. What is
-- of all tenants is read by days: `days_of_...` name the newest span of ids that has any ($1 are their beginnings, newest first, $2
-- is their length), and `all_...` read the whole range of the index, a page of which has the rows of many tenants, and sort. All are
-- planned once for any arguments. An order that only one index has, and rows that are compared whole, leave no other index to go by.

-- name: bounds
-- The clock, the oldest message and the newest, which may be scheduled.
select now_ms() as now, (select min(id) from message) as oldest, (select max(id) from message) as newest;

-- name: longest_wait
-- For how long a mail may wait before its call.
select coalesce(max(expiry_ms), 0) from lane;

-- name: lanes
-- The lanes of a tenant, of a type, or both; retired ones too.
select l.id from lane l join message_type y on y.id = l.type
 where ($1::int is null or l.tenant = $1) and ($2::text is null or y.name = $2) order by l.id;

-- name: walk
-- All mail.
select id, cardinality(recipients) as recipients from message where id >= ($1::bigint & -64) and id < $2 order by id desc limit $3;

-- name: walk_lanes
-- Mail of some lanes.
select m.id, m.recipients
  from unnest($4::int[]) u (lane)
 cross join lateral (select id, cardinality(recipients) as recipients from message
                      where (lane, id) >= (u.lane, $1::bigint & -64) and (lane, id) < (u.lane, $2)
                        and id >= ($1::bigint & -64) and id < $2 order by lane desc, id desc limit $3) m
 order by m.id desc limit $3;

-- name: days_of_campaign
-- The newest span of ids with mail of a campaign.
select s.low from unnest($1::bigint[]) s (low) cross join lateral (
    select tenant from message where campaign = $3 and campaign is not null and id >= s.low and id < s.low + $2::bigint
     order by tenant limit 1) m
 limit 1;

-- name: all_of_campaign
-- Mail of a campaign, of all tenants: chosen by the index alone.
select i.id, m.recipients
  from (select id from (select id from message where campaign = $4 and campaign is not null and id >= ($1::bigint & -64) and id < $2
                         order by campaign, tenant offset 0) i
         order by id desc limit $3) i
 cross join lateral (select cardinality(recipients) as recipients from message where id = i.id limit 1) m
 order by i.id desc;

-- name: walk_campaign
-- Mail of a campaign, of a tenant.
select id, cardinality(recipients) as recipients from message
 where (campaign, tenant, id) >= ($4, $5::int, $1::bigint & -64) and (campaign, tenant, id) < ($4, $5, $2)
   and campaign is not null and id >= ($1::bigint & -64) and id < $2
 order by campaign desc, tenant desc, id desc limit $3;

-- name: days_of_list
-- The newest span of ids with mail of a list.
select s.low from unnest($1::bigint[]) s (low) cross join lateral (
    select tenant from message where list = $3 and list is not null and id >= s.low and id < s.low + $2::bigint
     order by tenant limit 1) m
 limit 1;

-- name: all_of_list
-- Mail of a list, of all tenants: chosen by the index alone.
select i.id, m.recipients
  from (select id from (select id from message where list = $4 and list is not null and id >= ($1::bigint & -64) and id < $2
                         order by list, tenant offset 0) i
         order by id desc limit $3) i
 cross join lateral (select cardinality(recipients) as recipients from message where id = i.id limit 1) m
 order by i.id desc;

-- name: walk_list
-- Mail of a list, of a tenant.
select id, cardinality(recipients) as recipients from message
 where (list, tenant, id) >= ($4, $5::int, $1::bigint & -64) and (list, tenant, id) < ($4, $5, $2)
   and list is not null and id >= ($1::bigint & -64) and id < $2
 order by list desc, tenant desc, id desc limit $3;

-- name: walk_recipient
-- Deliveries to an address, of the tenants from $5 to $6.
select id from recipient where hash = $4 and tenant between $5 and $6 and id >= $1 and id < $2 order by id desc limit $3;

-- name: days_of_ledger
-- The newest span of ids of which something left the queue in these states.
select s.low from unnest($1::bigint[]) s (low) cross join lateral (
    select from unnest($3::smallint[]) w (state) cross join lateral (
        select tenant from ledger where state = w.state and state <> 20 and id >= s.low and id < s.low + $2::bigint
         order by tenant limit 1) g
     limit 1) x
 limit 1;

-- name: all_in_ledger
-- Deliveries that left the queue in these states, of all tenants.
select g.id
  from unnest($4::smallint[]) u (state)
 cross join lateral (
    select id from ledger where state = u.state and state <> 20 and id >= $1 and id < $2 order by state, tenant offset 0) g
 order by g.id desc limit $3;

-- name: all_in_ledger_for
-- The same for a reason.
select g.id
  from unnest($4::smallint[]) u (state)
 cross join lateral (
    select id from ledger where state = u.state and state <> 20 and coalesce(reason, '') = $5 and id >= $1 and id < $2
     order by state, tenant offset 0) g
 order by g.id desc limit $3;

-- name: ledger_keys
-- Reasons of what left the queue in these states ($3), of a tenant ($4), with ids from $1 on and below $2.
with recursive k (state, reason) as (
    (select w.state, g.reason from unnest($3::smallint[]) w (state) cross join lateral (
        select coalesce(reason, '') as reason from ledger
         where state = w.state and state <> 20 and tenant = $4::int and id >= $1::bigint and id < $2::bigint
         order by coalesce(reason, '') limit 1) g)
    union all
    select k.state, g.reason from k cross join lateral (
        select coalesce(reason, '') as reason from ledger
         where state = k.state and state <> 20 and tenant = $4 and coalesce(reason, '') > k.reason and id >= $1 and id < $2
         order by coalesce(reason, '') limit 1) g
)
select state as number, reason from k;

-- name: walk_ledger
-- Deliveries of a tenant ($4) that left the queue in a state, for a reason.
select g.id
  from unnest($5::smallint[], $6::text[]) u (state, reason)
 cross join lateral (
    select id from ledger
     where (state, tenant, coalesce(reason, ''), id) >= (u.state, $4::int, u.reason, $1)
       and (state, tenant, coalesce(reason, ''), id) < (u.state, $4, u.reason, $2)
       and state <> 20 and id >= $1 and id < $2
     order by state desc, tenant desc, coalesce(reason, '') desc, id desc limit $3) g
 order by g.id desc limit $3;

-- name: days_of_events
-- The newest span of ids of which SES reported events of these kinds.
select s.low from unnest($1::bigint[]) s (low) cross join lateral (
    select from unnest($3::smallint[]) w (kind) cross join lateral (
        select tenant from event
         where kind = w.kind and kind in (1, 2, 4, 5, 6, 7, 10) and delivery >= s.low and delivery < s.low + $2::bigint
         order by tenant limit 1) g
     limit 1) x
 limit 1;

-- name: all_events
-- Deliveries of which SES reported these kinds of events, of all tenants.
select g.delivery as id
  from unnest($4::smallint[]) u (kind)
 cross join lateral (
    select delivery from event
     where kind = u.kind and kind in (1, 2, 4, 5, 6, 7, 10) and delivery >= $1 and delivery < $2 order by kind, tenant offset 0) g
 order by g.delivery desc limit $3;

-- name: all_events_for
-- The same with SES's reason, or that of the bounce.
select g.delivery as id
  from unnest($4::smallint[]) u (kind)
 cross join lateral (
    select delivery from event
     where kind = u.kind and kind in (1, 2, 4, 5, 6, 7, 10) and delivery >= $1 and delivery < $2
       and (detail ->> 'bounce_reason' = $5 or detail ->> 'reason' = $5)
     order by kind, tenant offset 0) g
 order by g.delivery desc limit $3;

-- name: event_keys
-- Those of these kinds ($3) of which a tenant ($4) has events, of ids from $1 on and below $2.
select w.kind as number
  from unnest($3::smallint[]) w (kind)
 cross join lateral (
    select from event
     where kind = w.kind and kind in (1, 2, 4, 5, 6, 7, 10) and tenant = $4::int and delivery >= $1::bigint and delivery < $2::bigint limit 1) g;

-- name: walk_events
-- Deliveries of a tenant ($4) of which SES reported a kind of event, with SES's reason or that of the bounce ($6), or any.
select g.delivery as id
  from unnest($5::smallint[]) u (kind)
 cross join lateral (
    select delivery from event
     where (kind, tenant, delivery) >= (u.kind, $4::int, $1) and (kind, tenant, delivery) < (u.kind, $4, $2)
       and kind in (1, 2, 4, 5, 6, 7, 10) and delivery >= $1 and delivery < $2
       and ($6::text is null or detail ->> 'bounce_reason' = $6 or detail ->> 'reason' = $6)
     order by kind desc, tenant desc, delivery desc limit $3) g
 order by g.delivery desc limit $3;

-- name: walk_queue
-- Deliveries in the queue, of some lanes ($4), or of all that have any there (a skip scan). $5 says of which of them: those that
-- something closes (true), the others (false), or all (null). $6 says in which places: 0 ready, 1 sending, and 10 +
-- `waiting.why`. $7: whether their time must be over.
with recursive r (lane) as (
    (select lane from ready where $4::int[] is null order by lane limit 1)
    union all
    select n.lane from r cross join lateral (select lane from ready where lane > r.lane order by lane limit 1) n
), w (lane) as (
    (select lane from waiting where $4 is null order by lane limit 1)
    union all
    select n.lane from w cross join lateral (select lane from waiting where lane > w.lane order by lane limit 1) n
)
select q.id
  from (select unnest($4) as lane union select lane from r union select lane from w) f
  join lane l on l.id = f.lane
 cross join lateral (
    (select r.id from ready r
      where r.lane = l.id and r.id >= $1 and r.id < $2 and r.state = any ($6::smallint[])
        and ($5::boolean is null or (l.held or l.stopped or (select every_lane_stopped())) = $5)
        and (r.state = 0 and r.id < first_id_at(now_ms() - l.expiry_ms)) = $7::boolean
      order by r.id desc limit $3)
    union all
    (select w.id from waiting w
      where w.lane = l.id and w.id >= $1 and w.id < $2 and w.why + 10 = any ($6::smallint[]) and not $7
      order by w.id desc limit $3)
 ) q
 order by q.id desc limit $3;

-- name: fitting
-- Of some deliveries those whose recorded state ($2), lane, campaign, list and tags ($4 to $8) and type ($9) fit, and of which SES
-- reported a reason ($3).
-- State 0: it has not left the queue. Each row is looked up by its key, whatever the planner believes of the sizes of tables: so
-- `limit`.
select d.id
  from unnest($1::bigint[]) d (id)
  left join lateral (select state from outcome where $2::smallint[] is not null and id = d.id limit 1) o on true
  left join lateral (select state from ledger where $2::smallint[] is not null and id = d.id limit 1) g on true
  left join lateral (select lane, campaign, list, tags from message where $4::boolean and id = d.id & -64 limit 1) m on true
 where ($2 is null or coalesce(o.state, g.state, 0) = any ($2))
   and ($3::text is null or exists (select from event where delivery = d.id and (detail ->> 'bounce_reason' = $3 or detail ->> 'reason' = $3)))
   and (not $4 or ($5::int[] is null or m.lane = any ($5)) and ($6::text is null or m.campaign = $6) and ($7::text is null or m.list = $7)
                and ($8::jsonb is null or m.tags @> $8)
                and ($9::text is null or exists (select from lane l join message_type y on y.id = l.type where l.id = m.lane and y.name = $9)))
 order by d.id desc;

-- name: by_ses_id
-- Deliveries with SES's id, of calls from $2 to $3 (ms since 1970), accepted from $4 to $5 (ids).
select id from ledger where called_at between $2 and $3 and ses_id = $1 and id >= $4 and id < $5 limit 10;

-- name: by_send_event
-- The same from what SES reported, for calls whose answer was not clear.
select delivery as id from send_event where at between $2 and $3 and ses_id = $1 and delivery >= $4 and delivery < $5 limit 10;

-- name: mailed
-- Which of some addresses were mailed by the tenants from $2 to $3, and when last.
select h.n, x.id, t.slug
  from unnest($1::bytea[]) with ordinality h (hash, n)
 cross join lateral (select id, tenant from recipient where hash = h.hash and tenant between $2 and $3 and id >= $5 and id < $6 limit 1) x
  join tenant t on t.id = x.tenant
 order by h.n limit $4;
