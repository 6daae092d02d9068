-- Webhooks: endpoints, their outbox and its log. What is tried when is decided by observe/webhooks/plan.py.

-- name: lease
-- Endpoints for which something is due, those first that were served longest ago. A process that dies leaves them to another one.
-- $1: at most; $2: milliseconds of a lease; $3: added to the clock.
with chosen as materialized (
    select e.id, n.now from webhook_endpoint e cross join (select now_ms() + $3::bigint as now) n
     where e.removed_at is null and e.paused_at is null and e.leased_until <= n.now and e.next_at <= n.now
       and exists (select from webhook_message m where m.endpoint = e.id and m.due_at <= n.now)
     order by e.leased_until, e.id limit $1
       for update of e skip locked
)
update webhook_endpoint e set leased_until = x.now + $2 from chosen x
 where e.id = x.id
returning e.*, x.now, (select slug from tenant t where t.id = e.tenant) as slug;

-- name: due
-- The oldest first, with what their rows say now. Nothing, if the endpoint was changed since it was leased ($4).
with m as materialized (
    select * from webhook_message
     where endpoint = $1 and due_at <= $2 and exists (select from webhook_endpoint where id = $1 and secret = $4)
     order by due_at, id limit $3
)
select m.*, t.slug,
       g.id as message, g.recipient, g.from_address, g.campaign, g.list, g.tags,
       coalesce(g.type, ly.name) as type,
       e.kind, e.at as event_at, e.attempt as event_attempt, e.detail as event_detail,
       l.state as left_state, l.at as left_at, l.attempt as left_attempt, l.reason as left_reason, l.detail as left_detail,
       s.address, s.cause, s.until, d.document
  from m
  left join tenant t on t.id = m.tenant
  left join lateral (
      select a.id, a.recipients[(m.delivery & 63)::int] as recipient, a.from_address, a.campaign, a.list, a.tags,
             y.name as type
        from message a join lane n on n.id = a.lane join message_type y on y.id = n.type
       where a.id = m.delivery & ~63::bigint limit 1) g on true
  left join lateral (
      select kind, at, attempt, detail from event
       where m.event like 'delivery.%' and delivery = m.delivery and key = m.key
      union all
      select 0::smallint, send_at, 1::smallint, '{}'::jsonb from outcome
       where m.key = '\x53656e64' and id = m.delivery and send_at is not null
       limit 1) e on true
  left join lateral (
      select state, at, attempt, reason, detail from ledger where m.key is null and id = m.delivery limit 1) l on true
  left join lateral (
      select address, cause, until from suppression
       where m.event = 'suppression.added' and tenant = m.tenant and hash = m.key and scope = (m.data ->> 'scope')::smallint
         and target = (m.data ->> 'target')::int limit 1) s on true
  left join lane n on n.id = (m.data ->> 'lane')::int
  left join message_type ly on ly.id = n.type
  left join webhook_document d on d.delivery = m.delivery and d.key = m.key
 order by m.due_at, m.id;

-- name: record
-- What became of messages. The third list has the time of the next try; null: none.
update webhook_message m set tries = m.tries + 1, problem = x.problem, due_at = x.due_at, arrived_at = x.arrived_at
  from unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[]) as x (id, problem, due_at, arrived_at)
 where m.id = x.id;

-- name: give_up
-- There is nothing to tell of any more.
update webhook_message set due_at = null, problem = $2 where id = any ($1::bigint[]);

-- name: served
-- The state of an endpoint after a round, and its lease until $6. If it was changed meanwhile, the round says nothing of it.
update webhook_endpoint set next_at = $2, failed_rounds = $3, failing_since = $4, problem = $5, leased_until = $6
 where id = $1 and removed_at is null and secret = $7
returning *, (select slug from tenant t where t.id = webhook_endpoint.tenant) as slug;

-- name: release
-- It was served until now.
update webhook_endpoint set leased_until = $2 where id = $1;

-- name: pause
-- Nothing is sent to it; what happens meanwhile is kept for it.
update webhook_endpoint set paused_at = $2, paused_by = $3, paused_because = $4 where id = $1 and removed_at is null and paused_at is null
returning id;

-- name: resume
-- What waits is due at once: the failures of before say nothing of now.
update webhook_endpoint set paused_at = null, paused_by = null, paused_because = null, next_at = 0, failed_rounds = 0, failing_since = null
 where id = $1 and removed_at is null
returning id;

-- name: works
-- A test message arrived.
update webhook_endpoint set next_at = 0, failed_rounds = 0, failing_since = null, problem = null where id = $1;

-- name: endpoints
-- Those that are used, of one tenant if $2 says so. A tenant's key sees its own.
select e.id, e.name, e.tenant, e.form, e.target, e.events, e.made_at, e.made_by, e.next_at, e.failing_since, e.problem, e.paused_at,
       e.paused_by, e.paused_because, t.slug
  from webhook_endpoint e left join tenant t on t.id = e.tenant
 where e.removed_at is null and ($1::text is null or e.name = $1) and ($2::int is null or e.tenant = $2)
 order by e.name;

-- name: endpoint
-- With its secret, to sign with it or to change it.
select e.*, t.slug from webhook_endpoint e left join tenant t on t.id = e.tenant where e.name = $1 and e.removed_at is null;

-- name: lock_adding
-- Those that are added for one tenant, or for the platform, at the same time are counted one after the other.
select pg_advisory_xact_lock(hashtextextended('webhook_endpoint ' || coalesce($1::int::text, ''), 0));

-- name: count
-- How many there are of a tenant, or of the platform.
select count(*) from webhook_endpoint where removed_at is null and tenant is not distinct from $1::int;

-- name: add
-- Its name is free, or a constraint says so.
insert into webhook_endpoint (name, tenant, form, target, secret, events, made_at, made_by) values ($1, $2, $3, $4, $5, $6, $7, $8)
returning id;

-- name: lock_endpoint
-- As `endpoint`, to change it.
select e.*, t.slug from webhook_endpoint e left join tenant t on t.id = e.tenant
 where e.name = $1 and e.removed_at is null for no key update of e;

-- name: change
-- The row is locked. The secret is encrypted anew each time, by which `due` and `served` see the change.
update webhook_endpoint set tenant = $2, target = $3, secret = $4, events = $5 where id = $1;

-- name: moved
-- It has another URL: what failed at the one before says nothing of it.
update webhook_endpoint set next_at = 0, failed_rounds = 0, failing_since = null, problem = null where id = $1;

-- name: hurry
-- What waits for it, failed tries of before included.
update webhook_message set due_at = $2 where endpoint = $1 and due_at > $2;

-- name: forget_told
-- Contacts of the tenant that it belonged to, and of the one that it belongs to now, are told anew.
delete from tenant_told where kind = 'webhook' and number = $1;

-- name: remove
-- Its secret goes; the log stays as long as it is kept.
update webhook_endpoint set removed_at = $2, removed_by = $3, secret = null, failing_since = null, problem = null, paused_at = null,
       paused_by = null, paused_because = null
 where id = $1 and removed_at is null returning id;

-- name: remove_of_retired
-- A retired tenant's URL is its personal data.
update webhook_endpoint set removed_at = $1, removed_by = 'mailcordon', secret = null, target = '', failing_since = null, problem = null,
       paused_at = null, paused_by = null, paused_because = null
 where removed_at is null and tenant in (select id from tenant where retired_at is not null)
returning id;

-- name: log
-- Newest first.
select id, event, delivery, made_at, due_at, tries, arrived_at, problem from webhook_message
 where endpoint = $1 and ($2::bigint is null or id < $2) and ($3::bigint is null or delivery = $3)
   and case $4::text when 'arrived' then arrived_at is not null when 'waiting' then due_at is not null
                     when 'failed' then due_at is null and arrived_at is null else true end
 order by id desc limit $5;

-- name: waiting
-- How many messages wait for it, counted to a limit.
select count(*) from (select from webhook_message where endpoint = $1 and due_at is not null limit $2) x;

-- name: replay_since
-- Messages of the outbox in their order, from number $4 on. Returns the last one, or null if there is no further one.
with x as materialized (
    select m.id from webhook_message m join webhook_endpoint e on e.id = m.endpoint
     where m.endpoint = $1 and m.id > $4 and m.made_at >= $2 and m.made_at < $3 and ($5 or m.arrived_at is null)
       and (e.tenant is null or e.tenant = m.tenant)
     order by m.id limit $6 for update of m
), u as (
    update webhook_message m set due_at = $7, tries = 0, tried_from = $7 from x where m.id = x.id
)
select count(*) as messages, max(id) as last from x;

-- name: replay_mail
-- Everything that happened to deliveries of a message, from the rows of its events: also of what is no longer in the outbox. A Send event
-- without a row has a key of its own, "Send".
insert into webhook_message (endpoint, event, tenant, delivery, key, made_at, due_at)
select $1::int, w.event, e.tenant, e.delivery, e.key, $4::bigint, $4
  from event e
  join unnest($5::smallint[], $6::text[]) w (kind, event) on w.kind = e.kind
 where e.delivery > $2::bigint and e.delivery <= $2 + 50 and ($3::bigint is null or e.delivery = $3) and w.event = any ($7::text[])
union all
select $1, 'delivery.sent', o.tenant, o.id, '\x53656e64', $4, $4
  from outcome o
 where o.id > $2 and o.id <= $2 + 50 and ($3 is null or o.id = $3) and o.send_at is not null and 'delivery.sent' = any ($7)
union all
select $1, w.event, l.tenant, l.id, null, $4, $4
  from ledger l
  join unnest($8::smallint[], $9::text[]) w (state, event) on w.state = l.state
 where l.id > $2 and l.id <= $2 + 50 and ($3::bigint is null or l.id = $3) and w.event = any ($7::text[]);

-- name: message_tenant
-- Whose a message is.
select tenant from message where id = $1;

-- name: tidy_messages
-- The oldest rows of the log, if they are not kept any more. Only the lowest numbers are looked at: they are the oldest.
delete from webhook_message where id = any (array(
    select id from (select id, made_at, due_at from webhook_message order by id limit $2) x where x.made_at < $1))
returning id;

-- name: tidy_documents
-- SES's JSON that is not kept any more.
delete from webhook_document where (delivery, key) in (select delivery, key from webhook_document where made_at < $1 limit $2)
returning delivery;

-- name: drop_waiting
-- Of endpoints that were removed: nobody receives it.
update webhook_message m set due_at = null, problem = $1 from webhook_endpoint e
 where e.id = m.endpoint and e.removed_at is not null and m.due_at is not null;

-- name: failing
-- For the alarm that nothing is sent to an endpoint any more, or that nothing arrives at the platform's own.
select e.id, e.name, e.tenant, t.slug, e.target, e.failing_since, e.problem, e.paused_at, e.paused_because
  from webhook_endpoint e left join tenant t on t.id = e.tenant
 where e.removed_at is null and (e.paused_by = 'mailcordon' or e.tenant is null and e.failing_since <= $1)
 order by e.name;

-- name: signer
-- The newest key that signs messages in SNS's form.
select id, secret from webhook_signer order by id desc limit 1;

-- name: add_signer
-- Two processes that make the first one at once: the lock lets one do it.
insert into webhook_signer (secret, certificate, made_at)
select $1, $2, $3 where not exists (select from webhook_signer);

-- name: certificate
-- As it is served to whoever checks a signature.
select certificate from webhook_signer where id = $1;

-- name: lock_signer
-- See `add_signer`.
select pg_advisory_xact_lock(20552, 45);

-- name: secrets
-- For `mailcordon secrets rotate`.
select 'webhook_endpoint' as place, id, secret from webhook_endpoint where secret is not null
union all
select 'webhook_signer', id, secret from webhook_signer
order by 1, 2;

-- name: rewrite_endpoint_secret
-- Under another encryption key, unless it was changed meanwhile.
update webhook_endpoint set secret = $3 where id = $1 and secret = $2;

-- name: rewrite_signer_secret
-- Under another encryption key.
update webhook_signer set secret = $3 where id = $1 and secret = $2;
