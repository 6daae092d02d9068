-- The session of the one process that runs a loop (leading_session.py), as the control role.

-- name: try_lead
-- Whether this session runs the loop of a lock. The lock ends with the session, so a dead process does not keep it.
select pg_try_advisory_lock($1::int, 0);

-- name: release_lead
-- Another process may run the loop. The session has no other lock, and may have taken this one more than once.
select pg_advisory_unlock_all();

-- name: control_reports
-- Whether a control process has reported a short while ago ($1, milliseconds).
select exists (select from role_health where role = 'control' and abs(now_ms() - beat) <= $1);
