-- Tenants' contacts, and notices to them about their own holds and stops.

-- name: has_contacts
-- Whether any tenant is told.
select exists (select from tenant_contact);

-- name: is_due
-- Whether a notice is to be sent by now; $1 is added to the clock.
select exists (select from tenant_notice where due_at <= now_ms() + $1::bigint);

-- name: lock_planning
-- Two processes that plan at once would tell the same twice.
select pg_try_advisory_xact_lock(20552, 35);

-- name: changes
-- Holds, stops and paused webhooks that a contact was not told of, and those it was told of that are over. What passes within $2 ms is not told. $3 of a
-- contact at most, and none of one that had $5 notices since $4: one with thousands delays no other.
select tenant, form, kind, number, ended
from (
    select x.*, row_number() over (partition by tenant, form order by kind, number) as place
    from (
        select c.tenant, c.form, 'hold' as kind, h.id as number, false as ended
        from tenant_contact c
        join hold h on h.tenant = c.tenant and h.lifted_at is null and h.stops and h.since <= $1::bigint - 5000
        where 'holds' = any (c.tell) and not exists (
            select from tenant_told t where t.tenant = c.tenant and t.form = c.form and t.kind = 'hold' and t.number = h.id)
        union all
        select c.tenant, c.form, 'stop', s.id, false
        from stop s
        join tenant_contact c on c.tenant = s.tenant
        where s.ended_at is null and s.since <= $1::bigint - $2::bigint and 'holds' = any (c.tell) and not exists (
            select from tenant_told t where t.tenant = c.tenant and t.form = c.form and t.kind = 'stop' and t.number = s.id)
        union all
        select c.tenant, c.form, 'webhook', w.id, false
        from webhook_endpoint w
        join tenant_contact c on c.tenant = w.tenant
        where w.removed_at is null and w.paused_by = 'mailcordon' and 'holds' = any (c.tell) and not exists (
            select from tenant_told t where t.tenant = c.tenant and t.form = c.form and t.kind = 'webhook' and t.number = w.id)
        union all
        select t.tenant, t.form, t.kind, t.number, true
        from tenant_told t
        join tenant_contact c on c.tenant = t.tenant and c.form = t.form
        left join hold h on t.kind = 'hold' and h.id = t.number
        left join stop s on t.kind = 'stop' and s.id = t.number
        left join webhook_endpoint w on t.kind = 'webhook' and w.id = t.number
        where not t.ended and 'holds' = any (c.tell)
          and (h.lifted_at is not null or s.ended_at is not null or t.kind = 'webhook' and w.paused_at is null)
    ) x
) y
where place <= $3
  and (select count(*) from tenant_notice n where n.tenant = y.tenant and n.form = y.form and n.made_at > $4::bigint) < $5::int
order by 1, 2, 3, 4 limit 2000;

-- name: remember
-- Told once, and once that it is over.
insert into tenant_told (tenant, form, kind, number, ended) values ($1, $2, $3, $4, $5)
on conflict (tenant, form, kind, number) do update set ended = $5;

-- name: add_notice
-- To be sent at once.
insert into tenant_notice (tenant, form, items, made_at, due_at) values ($1, $2, $3::jsonb, $4, $4);

-- name: lease
-- A process that dies leaves the notice to another one, which sends it with the same id.
with chosen as materialized (
    select n.id from tenant_notice n
    where n.due_at <= $1 and coalesce(n.leased_until, 0) <= $1
    order by n.due_at, n.id limit $2
    for update of n skip locked
)
update tenant_notice n set leased_until = $1 + $3 from chosen x where n.id = x.id
returning n.id, n.tenant, n.form, n.items, n.tries;

-- name: contact
-- Of a tenant that is not retired.
select c.*, t.slug from tenant_contact c join tenant t on t.id = c.tenant
where c.tenant = $1 and ($2::text is null or c.form = $2) and t.retired_at is null
order by c.form;

-- name: shown
-- What a tenant's key may see of it.
select c.tenant, c.form, c.target, c.tell, c.made_at, c.made_by, c.failing_since, c.problem, t.slug
from tenant_contact c join tenant t on t.id = c.tenant where c.tenant = $1 order by c.form;

-- name: holds
-- With the names of their lanes.
select h.*, y.name as type from hold h left join lane l on l.id = h.lane left join message_type y on y.id = l.type
where h.tenant = $1 and h.id = any ($2) order by h.id;

-- name: stops
-- Those of the tenant itself.
select s.*, y.name as type from stop s left join lane l on l.id = s.lane left join message_type y on y.id = l.type
where s.tenant = $1 and s.id = any ($2) order by s.id;

-- name: webhooks
-- Those of the tenant.
select id, name, target, paused_at, paused_because from webhook_endpoint
where tenant = $1 and id = any ($2::bigint[]) and removed_at is null order by id;

-- name: names_among
-- Names of tenants, their domains and the beginnings of their names at SES among these words, and whether they are the tenant's own.
select slug as name, id = $1 as own from tenant where slug = any ($2::text[])
union
select key, id = $1 from tenant where key = any ($2::text[])
union
select domain, tenant = $1 from identity where domain = any ($2::text[]);

-- name: sent
-- It arrived.
update tenant_notice set sent_at = $2, due_at = null, leased_until = null, problem = null where id = $1;

-- name: failed
-- Tried again at $2; null: given up.
update tenant_notice set due_at = $2, tries = $3, problem = $4, leased_until = null where id = $1;

-- name: contact_works
-- Its last notice arrived.
update tenant_contact set failing_since = null, problem = null where tenant = $1 and form = $2 and failing_since is not null;

-- name: contact_fails
-- Since the first notice that did not arrive.
update tenant_contact set failing_since = coalesce(failing_since, $3), problem = $4 where tenant = $1 and form = $2;

-- name: put
-- Another contact of the same form takes its place; what was told stays told.
insert into tenant_contact (tenant, form, target, secret, channel, tell, made_at, made_by)
values ($1, $2, $3, $4, $5, $6, now_ms(), $7)
on conflict (tenant, form) do update
    set target = $3, secret = $4, channel = $5, tell = $6, made_at = now_ms(), made_by = $7, failing_since = null, problem = null;

-- name: remove
-- With what is on its way to it.
delete from tenant_contact where tenant = $1 and form = $2 returning target;

-- name: drop_notices
-- Nobody receives them.
delete from tenant_notice where tenant = $1 and form = $2 and sent_at is null;

-- name: forget_retired
-- Contacts are personal data, and a retired tenant has no mail to be told of.
delete from tenant_contact where tenant in (select id from tenant where retired_at is not null);

-- name: forget_told
-- What is over is told, and does not begin again.
delete from tenant_told where ended;

-- name: forget_notices
-- Older than $1.
delete from tenant_notice where made_at < $1;

-- name: notices
-- Newest first.
select n.*, t.slug from tenant_notice n join tenant t on t.id = n.tenant
where n.tenant = $1 and ($2::bigint is null or n.id < $2) order by n.id desc limit $3;

-- name: secrets
-- For `mailcordon secrets rotate`.
select tenant, form, secret from tenant_contact order by tenant, form for update;

-- name: rewrite_secret
-- Under another encryption key.
update tenant_contact set secret = $3 where tenant = $1 and form = $2;
