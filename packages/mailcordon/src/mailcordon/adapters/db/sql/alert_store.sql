-- Alerts: what channels are told of incidents. Deciding is observe/alerts/plan.py's; here facts are read and what follows is written.

-- name: lock_planning
-- Two processes that plan at once would put the same message on its way twice.
select pg_try_advisory_xact_lock(20552, 34);

-- name: channels
-- Those that are used.
select c.*, t.slug, y.name as type
from alert_channel c
left join tenant t on t.id = c.tenant
left join lane l on l.id = c.lane
left join message_type y on y.id = l.type
where c.removed_at is null and ($1::text is null or c.name = $1)
order by c.name;

-- name: has_channels
-- Whether anybody is told.
select exists (select from alert_channel where removed_at is null);

-- name: incidents_to_tell
-- Open ones, and closed ones of which something is on its way or a channel has still to hear that they are closed.
select i.id, i.kind, i.cause, i.severity, i.scope, i.name, i.tenant, i.lane, i.culprit, i.sentence, i.next, i.command, i.since, i.opened_at,
       i.mitigated_at, i.mitigated_by, i.acknowledged_at, i.acknowledged_by, i.closed_at, i.closed_by, i.closed_because, i.concerned, t.slug
from incident i left join tenant t on t.id = i.tenant
where i.id in (
    select id from incident where closed_at is null
    union
    select a.incident from alert a join alert_channel c on c.id = a.channel and c.removed_at is null
    where a.what is not null or a.told_at is not null and not a.told_closed)
order by i.closed_at is not null, i.id limit 2000;

-- name: threads
-- Of these incidents.
select incident, channel, told_severity, told_culprit, told_acknowledged, told_closed, reminders, remind_at, what, tries
from alert where incident = any ($1);

-- name: told_lately
-- How many incidents each channel was told of for the first time since $1.
select channel, count(*) as told from alert where made_at > $1 group by channel;

-- name: put_on_its_way
-- Another message than the one on its way takes its place, and its back-off: the receiver is the same. That it is closed has all its
-- tries, however long the receiver was down before.
insert into alert (incident, channel, made_at, what, number, due_at) values ($1, $2, $4, $3, 1, $4)
on conflict (incident, channel) do update
    set made_at = case when alert.told_at is null and alert.what is null then $4 else alert.made_at end, what = $3, number = alert.number + 1, due_at = coalesce(alert.due_at, $4),
        tries = case when alert.what is null or $3 = 'closed' then 0 else alert.tries end;

-- name: drop_message
-- Nothing is to be said any more.
update alert set what = null, due_at = null, tries = 0, leased_until = null where incident = $1 and channel = $2;

-- name: is_due
-- Whether a message is to be sent by now; $1 is added to the clock.
select exists (select from alert where what is not null and due_at <= now_ms() + $1::bigint);

-- name: lease
-- A process that dies leaves the message to another one, which sends it with the same id. $4 to a channel at most, none to $5: a
-- receiver that does not answer delays no other.
with first as (
    select a.id, a.due_at, row_number() over (partition by a.channel order by a.due_at, a.id) as n
    from alert a join alert_channel c on c.id = a.channel and c.removed_at is null
    where a.what is not null and a.due_at <= $1 and coalesce(a.leased_until, 0) <= $1 and a.channel <> all ($5::int[])
), chosen as materialized (
    select a.id from alert a
    where a.id in (select id from first where n <= $4 order by due_at, id limit $2) and coalesce(a.leased_until, 0) <= $1
    for update of a skip locked
)
update alert a set leased_until = $1 + $3 from chosen x where a.id = x.id
returning a.id, a.incident, a.channel, a.what, a.number, a.tries;

-- name: incident
-- As it is when the message is written.
select i.id, i.kind, i.cause, i.severity, i.scope, i.name, i.tenant, i.lane, i.culprit, i.sentence, i.next, i.command, i.since, i.opened_at,
       i.mitigated_at, i.mitigated_by, i.acknowledged_at, i.acknowledged_by, i.closed_at, i.closed_by, i.closed_because, i.concerned, t.slug
from incident i left join tenant t on t.id = i.tenant where i.id = $1;

-- name: done_about
-- What was done, the latest last.
select at, author, text from (
    select id, at, author, text from incident_entry where incident = $1 and what = 'action' order by id desc limit 5
) e order by id;

-- name: open_incidents
-- How many there are.
select count(*) from incident where closed_at is null;

-- name: lane_state
-- Whether the lane of an e-mail channel can carry mail now.
select l.tenant, l.id, t.slug, y.name as type, r.configuration_set, r.domain, l.held, l.stopped or l.retired_at is not null as stopped, every_lane_stopped() as nothing_leaves,
       coalesce((select beat from role_beat where role = 'dispatch'), 0) < now_ms() - $2 as dispatcher_silent
from lane l
join tenant t on t.id = l.tenant
join message_type y on y.id = l.type
join route r on r.lane = l.id
where l.id = $1
order by r.share desc limit 1;

-- name: arrived
-- Only of the message that was sent: meanwhile another one may have taken its place.
update alert
set told_at = $3, told_severity = $4, told_culprit = $5, told_acknowledged = $6, told_closed = $7, sent = sent + 1,
    reminders = $8, remind_at = $9, problem = null, leased_until = null,
    what = case when number = $2 then null else what end, due_at = case when number = $2 then null else due_at end, tries = 0
where id = $1;

-- name: thread
-- What was told before, to compute what follows from this message.
select a.*, c.secret from alert a join alert_channel c on c.id = a.channel where a.id = $1 for update of a;

-- name: not_arrived
-- It is tried again, unless there is nothing to be said any more.
update alert set due_at = $3, tries = $4, problem = $5, leased_until = null
where id = $1 and number = $2 and what is not null;

-- name: renumber
-- Its id is used up: the next try is another message for the receiver.
update alert set number = number + 1 where id = $1 and number = $2 and what is not null;

-- name: give_up
-- That it is over was not told, and is not tried any more.
update alert set what = null, due_at = null, told_closed = true, problem = $3, leased_until = null where id = $1 and number = $2;

-- name: channel_works
-- Its last message arrived. Nothing, if its receiver was changed meanwhile ($2: its secret as it was).
update alert_channel set failing_since = null, problem = null where id = $1 and secret = $2 and failing_since is not null;

-- name: hurry
-- What waits for the channel, failed tries of before included.
update alert set due_at = $2 where channel = $1 and what is not null and due_at > $2;

-- name: channel_fails
-- Since the first message that did not arrive; as `channel_works`.
update alert_channel set failing_since = coalesce(failing_since, $2), problem = $3 where id = $1 and secret = $4;

-- name: enter
-- In the incident's timeline, once for each key.
insert into incident_entry (incident, at, what, author, text, key) values ($1, $2, $3, $4, $5, $6)
on conflict (incident, key) do nothing;

-- name: failing_channels
-- For the alarm that a channel does not work.
select name, form, target, failing_since, problem from alert_channel
where removed_at is null and failing_since <= $1 order by name;

-- name: alerts
-- Newest first.
select a.*, c.name as channel_name, c.form, i.kind, i.severity, i.sentence, i.acknowledged_at, i.acknowledged_by, i.closed_at, t.slug
from alert a
join alert_channel c on c.id = a.channel
join incident i on i.id = a.incident
left join tenant t on t.id = i.tenant
where ($1::bigint is null or a.incident = $1) and ($2::text is null or c.name = $2)
  and ($3::boolean is null or (i.closed_at is null) = $3) and ($4::bigint is null or a.id < $4) and ($6::bigint is null or a.id = $6)
order by a.id desc limit $5;

-- name: add_channel
-- Its name is free, or a constraint says so.
insert into alert_channel (name, form, target, secret, tenant, lane, sender, key_prefix, least, kinds, tenants, made_at, made_by)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, now_ms(), $12)
returning id;

-- name: wait_for_planning
-- See `lock_planning`.
select pg_advisory_xact_lock(20552, 34);

-- name: lock_channel
-- To change it.
select from alert_channel where id = $1 for no key update;

-- name: change_channel
-- The row is locked. Another lane comes with another API key.
update alert_channel set target = $2, secret = $3, tenant = coalesce($4, tenant), lane = coalesce($5, lane), sender = $6,
       key_prefix = coalesce($7, key_prefix), least = $8, kinds = $9, tenants = $10
where id = $1;

-- name: moved
-- Another receiver: what failed at the one before says nothing of it.
update alert_channel set failing_since = null, problem = null where id = $1;

-- name: tell_anew
-- The new receiver knows of nothing that is open. The number says that a message under way is not the one that comes next.
update alert set told_at = null, told_severity = null, told_culprit = false, told_acknowledged = false, told_closed = false, reminders = 0,
       remind_at = null, what = null, due_at = null, tries = 0, leased_until = null, problem = null, number = number + 1
where channel = $1 and incident in (select id from incident where closed_at is null);

-- name: remove_channel
-- Its secret goes; what was told stays on record.
update alert_channel set removed_at = now_ms(), removed_by = $2, secret = null, failing_since = null, problem = null
where name = $1 and removed_at is null
returning id, form, key_prefix;

-- name: contacts_of_channel
-- Tenants whose notices it carries.
select count(*) from tenant_contact where channel = $1;

-- name: drop_messages_of_channel
-- Nobody receives them.
update alert set what = null, due_at = null, leased_until = null where channel = $1 and what is not null;

-- name: tenants
-- Ids of these slugs.
select id, slug from tenant where slug = any ($1) and retired_at is null;

-- name: slugs
-- The other way round.
select id, slug from tenant where id = any ($1);

-- name: lane
-- A lane that can carry our own e-mail.
select l.id, l.tenant, l.class, r.domain
from lane l join tenant t on t.id = l.tenant join message_type y on y.id = l.type join route r on r.lane = l.id
where t.slug = $1 and y.name = $2 and l.retired_at is null and t.retired_at is null
order by r.share desc limit 1;

-- name: secrets
-- For `mailcordon secrets rotate`.
select id, secret from alert_channel where secret is not null order by id for update;

-- name: rewrite_secret
-- Under another encryption key.
update alert_channel set secret = $2 where id = $1 and secret is not null;
