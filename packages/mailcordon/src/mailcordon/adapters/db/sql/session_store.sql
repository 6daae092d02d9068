-- Sessions of people, and their ways to the OpenID provider. Tokens are looked up by their sha256.

-- name: insert_session
-- A session begins. $6: values of the claim; $8, $9: how long it lasts, in seconds.
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

-- name: use_link
-- Once. Of two who use it at the same time, the second waits and gets no row.
update sign_in_link set used_at = now()
 where hash = $1 and used_at is null and revoked_at is null and expires_at > now()
returning *;

-- name: revoke_links_of
-- All that could still be used for a person.
update sign_in_link set revoked_at = now()
 where person = $1 and used_at is null and revoked_at is null and expires_at > now()
returning *;

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
-- A session as people name it, ended or not.
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
