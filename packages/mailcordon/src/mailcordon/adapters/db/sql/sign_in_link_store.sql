-- One-time links to sign in. session_store.sql uses them.

-- name: lock_links
-- Sign-in links are made one after the other, so that their number has a bound.
select pg_advisory_xact_lock(hashtextextended('sign_in_link', 0));

-- name: open_links
-- How many links can be used.
select count(*) from sign_in_link where expires_at > now() and used_at is null and revoked_at is null;

-- name: insert_link
-- Works for $6 seconds.
insert into sign_in_link (prefix, hash, person, role, made_by, expires_at)
values ($1, $2, $3, $4, $5, now() + make_interval(secs => $6::int))
returning *;

-- name: revoke_link
-- Gives no row if there is no such link, or if it was used or revoked.
update sign_in_link set revoked_at = now() where prefix = $1 and used_at is null and revoked_at is null returning *;

-- name: link_by_prefix
-- A sign-in link as people name it, used or not.
select * from sign_in_link where prefix = $1;

-- name: list_links
-- A page of sign-in links, the oldest first.
select * from sign_in_link where id > $1 order by id limit $2;
