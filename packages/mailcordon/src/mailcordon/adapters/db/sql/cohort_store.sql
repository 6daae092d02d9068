-- Folding the changes of cohorts.

-- name: fold
-- One transaction: each change is deleted where it is added. It is no news that there was none (0071-pulse.sql). Nothing is done if all
-- was folded in the last $2 milliseconds.
select f.folded, case f.folded when 0 then nextval('quiet_write') end
  from (select case when (select now_ms() - folded_at from cohort_fold) between 0 and $2::int - 1 then null
                    else fold_cohorts($1) end as folded) f;
