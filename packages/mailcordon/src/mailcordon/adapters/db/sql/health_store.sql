-- What a process reports of itself.

-- name: beat
-- This process's row, and if $8 an end to rows of processes that have been silent for long. Returns whether a control process has reported
-- within $7 milliseconds. It is no news that a process still runs (0071-pulse.sql).
with gone as (
    delete from role_health where $8::boolean and role = $1 and instance <> $2 and beat < now_ms() - $6::bigint
)
insert into role_health as h (role, instance, host, pid, started, beat, facts)
values ($1, $2, $3, $4, now_ms(), now_ms(), $5::jsonb)
on conflict (role, instance) do update set beat = excluded.beat, facts = excluded.facts
returning exists (select from role_health c where c.role = 'control' and abs(now_ms() - c.beat) <= $7::bigint) as control_reports,
          nextval('quiet_write');

-- name: end_beat
-- A process that stops in order leaves no row: nobody has to wait to know that it is gone.
delete from role_health where role = $1 and instance = $2;
