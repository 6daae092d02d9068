-- Keys of links to unsubscribe.

-- name: all_keys
-- All of them: a link never expires.
select number, secret from unsubscribe_key order by number;

-- name: insert_key
-- Makes links from now on.
insert into unsubscribe_key (secret) values ($1) returning number;

-- name: insert_first_key
-- Unless there is one already.
insert into unsubscribe_key (secret) select $1::bytea where not exists (select from unsubscribe_key);

-- name: secrets
-- For `mailcordon secrets rotate`.
select number, secret from unsubscribe_key order by number for update;

-- name: rewrite_secret
-- Under another encryption key.
update unsubscribe_key set secret = $2 where number = $1;
