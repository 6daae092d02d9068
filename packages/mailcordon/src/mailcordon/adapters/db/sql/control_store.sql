-- The catalogue of message types.

-- name: types
-- The whole catalogue: an onboarding may name any of it.
select id, name, class, criticality, description, expiry_ms, grace_ms, resend
from message_type where retired_at is null order by name;

-- name: insert_type
-- Gives no row if the name exists.
insert into message_type (name, class, criticality, description, expiry_ms, grace_ms, resend)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (name) do nothing
returning id, name, class, criticality, description, expiry_ms, grace_ms, resend;

-- name: lock_type
-- Locked, so that two changes of one type follow each other.
select id, name, class, criticality, description, expiry_ms, grace_ms, resend
from message_type where name = $1 and retired_at is null for update;

-- name: update_type
-- Name and class never change: lanes depend on them.
update message_type set criticality = $2, description = $3, expiry_ms = $4, grace_ms = $5, resend = $6 where id = $1;

-- name: update_lanes_of_type
-- Lanes carry their type's values. Locked in id order, as everywhere.
update lane set expiry_ms = $2, grace_ms = $3, resend = $4
where id in (select id from lane where type = $1 order by id for no key update);
