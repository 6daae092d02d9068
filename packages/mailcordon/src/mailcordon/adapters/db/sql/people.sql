-- People who use the dashboard: sessions, one-time links to sign in, and tenants' view links. Tokens are looked up by their sha256.

-- name: insert_session
-- A new one. $6: values of the claim; $7, $8: how long it lasts, in seconds.
insert into person_session (prefix, hash, person, role, way, subject, claims, idle, expires_at)
values ($1, $2, $3, $4, $5, $6, $7, make_interval(secs => $8::int), now() + make_interval(secs => $9::int))
returning *, seen_at + idle as idle_at;

-- name: lock_person
-- Sessions of one person begin one after the other, so that their number has a bound.
select pg_advisory_xact_lock(hashtextextended('person_session ' || $1::text, 0));

-- name: end_oldest
-- All but the $2 newest open sessions of a person.
update person_session set ended_at = now(), ended_by = $3
 where id in (select id from person_session
              where person = $1 and ended_at is null and expires_at > now() and seen_at + idle > now()
              order by id desc offset $2)
returning prefix;

-- name: find_session
-- The session of a request: one look into the index of hashes. At most once a minute it notes the request. Nobody waits for another
-- request of the same session that does the same.
with found as materialized (
    select *, seen_at + idle as idle_at from person_session
     where hash = $1 and ended_at is null and expires_at > now() and seen_at + idle > now()
), noted as (
    update person_session set seen_at = now()
     where id = (select s.id from person_session s join found f on f.id = s.id
                  where s.seen_at < now() - interval '60s' for update of s skip locked)
)
select * from found;

-- name: end_session
-- Its person signs out. Gives no row if it had ended.
update person_session set ended_at = now(), ended_by = person
 where hash = $1 and ended_at is null and expires_at > now() and seen_at + idle > now()
returning *, seen_at + idle as idle_at;

-- name: end_session_by
-- Gives no row if there is no such session, or if it had ended.
update person_session set ended_at = now(), ended_by = $2
 where prefix = $1 and ended_at is null and expires_at > now() and seen_at + idle > now()
returning *, seen_at + idle as idle_at;

-- name: session_by_prefix
-- As people name it.
select *, seen_at + idle as idle_at from person_session where prefix = $1;

-- name: end_sessions_of
-- All open sessions of a person.
update person_session set ended_at = now(), ended_by = $2
 where person = $1 and ended_at is null and expires_at > now() and seen_at + idle > now()
returning *, seen_at + idle as idle_at;

-- name: list_sessions
-- A page of sessions, of one person or of all; $2: only those that last, or only those that are over.
select *, seen_at + idle as idle_at from person_session
 where ($1::text is null or person = $1) and id > $3
   and ($2::boolean is null or $2 = (ended_at is null and expires_at > now() and seen_at + idle > now()))
 order by id limit $4;

-- name: drop_pending
-- What is past its time, and the oldest if more than $1 are left: their browsers must begin again.
delete from pending_sign_in
 where expires_at <= now()
    or state in (select state from pending_sign_in order by expires_at desc offset $1);

-- name: put_pending
-- A browser goes to the OpenID provider, for $4 seconds.
insert into pending_sign_in (state, browser, next, expires_at) values ($1, $2, $3, now() + make_interval(secs => $4::int));

-- name: take_pending
-- Once, and only for the browser that left.
delete from pending_sign_in where state = $1 and browser = $2 and expires_at > now() returning next;

-- name: lock_links
-- Sign-in links are made one after the other, so that their number has a bound.
select pg_advisory_xact_lock(hashtextextended('sign_in_link', 0));

-- name: open_links
-- How many links can be used.
select count(*) from sign_in_link where expires_at > now() and used_at is null and revoked_at is null;

-- name: insert_link
-- A new one, for $6 seconds.
insert into sign_in_link (prefix, hash, person, role, made_by, expires_at)
values ($1, $2, $3, $4, $5, now() + make_interval(secs => $6::int))
returning *;

-- name: use_link
-- Once. Of two who use it at the same time, the second waits and gets no row.
update sign_in_link set used_at = now()
 where hash = $1 and used_at is null and revoked_at is null and expires_at > now()
returning *;

-- name: revoke_link
-- Gives no row if there is no such link, or if it was used or revoked.
update sign_in_link set revoked_at = now() where prefix = $1 and used_at is null and revoked_at is null returning *;

-- name: revoke_links_of
-- All that could still be used for a person.
update sign_in_link set revoked_at = now()
 where person = $1 and used_at is null and revoked_at is null and expires_at > now()
returning *;

-- name: link_by_prefix
-- As people name it.
select * from sign_in_link where prefix = $1;

-- name: list_links
-- A page, the oldest first.
select * from sign_in_link where id > $1 order by id limit $2;

-- name: lock_tenant
-- View links of one tenant are made one after the other, so that their number has a bound.
select id from tenant where slug = $1 and retired_at is null for no key update;

-- name: open_view_links
-- How many of a tenant work.
select count(*) from view_link where tenant = $1 and revoked_at is null and expires_at > now();

-- name: insert_view_link
-- A new one.
insert into view_link (prefix, hash, tenant, name, made_by, expires_at) values ($1, $2, $3, $4, $5, $6);

-- name: view_link_by_prefix
-- As people name it.
select v.*, e.slug from view_link v join tenant e on e.id = v.tenant where v.prefix = $1 and e.slug = $2;

-- name: revoke_view_link
-- Gives no row if there is no such link of the tenant, or if it was revoked.
update view_link set revoked_at = now()
 where prefix = $1 and tenant = (select id from tenant where slug = $2) and revoked_at is null
returning id;

-- name: list_view_links
-- A page of a tenant, the oldest first.
select v.*, e.slug from view_link v join tenant e on e.id = v.tenant where v.tenant = $1 and v.id > $2 order by v.id limit $3;

-- name: find_view_link
-- The link of a request, as find_session finds a session.
with found as materialized (
    select v.*, e.slug from view_link v join tenant e on e.id = v.tenant
     where v.hash = $1 and v.revoked_at is null and v.expires_at > now() and e.retired_at is null
), noted as (
    update view_link set last_used_at = now()
     where id = (select v.id from view_link v join found f on f.id = v.id
                  where v.last_used_at is null or v.last_used_at < now() - interval '60s' for update of v skip locked)
)
select * from found;

-- name: open_view_link
-- Its URL was opened. Gives no row if that was noted within the last hour.
update view_link set opened_at = now()
 where id = $1 and (opened_at is null or opened_at < now() - interval '1h')
returning id;
