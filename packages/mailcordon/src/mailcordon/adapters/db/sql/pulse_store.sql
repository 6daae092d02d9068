-- What has happened since the last beat, for all loops of a control process at once (app/pulse.py), as the control role.

-- name: look
-- $1: milliseconds of a silent process; $2: the fold that the look before saw.
-- `written`: transactions that have written in this server, but for those that only say that a process runs. Each takes a transaction id
-- when it first writes, so as long as the number stays the same and none is open (`is_still`), no row has changed.
select pg_snapshot_xmax(s.seen)::text::bigint - q.last_value as written, pg_snapshot_xmin(s.seen) = pg_snapshot_xmax(s.seen) as is_still,
       (select max(c.seq) from audit_chain c) as audited, (select sum(e.value)::bigint from epoch e) as epochs,
       (select f.fold from cohort_fold f) as fold,
       exists (select from cohort_feed c
                where c.fold > $2::bigint
                  and (c.counts[4] <> 0 or c.counts[5] <> 0 or c.counts[6] <> 0 or c.counts[7] <> 0
                       or c.counts[17] <> 0 or c.counts[19] <> 0 or c.counts[21] <> 0)) as is_trouble,
       (select count(*) from role_health r where r.beat < now_ms() - $1::bigint) as silent,
       exists (select from hold h where h.lifted_at is null and h.until <= now_ms()) as hold_is_over
  from (select pg_current_snapshot() as seen) s, quiet_write q;
