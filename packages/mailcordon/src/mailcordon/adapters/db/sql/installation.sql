-- The installation's one row.

-- name: installation
-- Name and secrets. The secrets are encrypted. `settling`: a new MAC key does not sign yet, as a process may not know it.
select name, mac_key, hash_key, former_mac_key, mac_rotated_at, coalesce(observe_only, false) as observe_only,
       former_mac_key is not null and mac_rotated_at > now() - make_interval(secs => $1) as settling
  from installation;

-- name: insert_installation
-- The first process wins; the others read its row.
insert into installation (name, mac_key, hash_key) values ($1, $2, $3) on conflict (only_row) do nothing;

-- name: lock_installation
-- Two who rotate come after each other.
select name from installation for update;

-- name: rewrite_secrets
-- Secrets under a new encryption key, unless another process has replaced them since.
update installation set mac_key = $1, hash_key = $2, former_mac_key = $3 where mac_key = $4 returning name;

-- name: rotate_mac_key
-- The present key stays accepted.
update installation set former_mac_key = mac_key, mac_key = $1, mac_rotated_at = now() where former_mac_key is null;

-- name: declare_mode
-- Whether it observes only. Returns what was said before; no row if that was the same.
update installation set observe_only = $1 where observe_only is distinct from $1
returning (select i.observe_only from installation i) as before;

-- name: sends
-- Whether a lane has a route.
select exists (select from route);

-- name: drop_former_mac_key
-- What it signed proves nothing from now on.
update installation set former_mac_key = null;
