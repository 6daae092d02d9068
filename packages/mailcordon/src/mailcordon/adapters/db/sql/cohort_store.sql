-- Folding the changes of cohorts.

-- name: fold
-- One transaction: each change is deleted where it is added. It is no news that there was none (0071-pulse.sql). Nothing is done if all
-- was folded in the last $2 milliseconds, or in the last $3 and all that waits is mail sent and delivered. An observer ($2) does not say
-- again that nothing waits while control does, each five seconds. Only a fold with changes has to be on disk.
select f.folded, case f.folded when 0 then nextval('quiet_write') end, case f.folded when 0 then set_config('synchronous_commit', 'off', true) end
  from (select case when x.age between 0 and $2::int - 1 then null
                    when $2 > 0 and x.age between 0 and 7000 and not exists (select from cohort_change)
                         and not exists (select from cohort_batch) then null
                    when x.age between 0 and $3::int - 1 and not exists (select from cohort_change)
                         and not exists (select from cohort_batch where hurry) then null
                    else fold_cohorts($1) end as folded
          from (select now_ms() - folded_at as age from cohort_fold) x) f;
