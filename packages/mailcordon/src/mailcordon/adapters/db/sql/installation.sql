-- The installation's one row.

-- name: installation
-- Name and secrets. The secrets are encrypted.
select name, mac_key, hash_key from installation;

-- name: insert_installation
-- The first process wins; the others read its row.
insert into installation (name, mac_key, hash_key) values ($1, $2, $3) on conflict (only_row) do nothing;

-- name: rewrite_secrets
-- Secrets under a new encryption key, unless another process has replaced them since.
update installation set mac_key = $1, hash_key = $2 where mac_key = $3;
