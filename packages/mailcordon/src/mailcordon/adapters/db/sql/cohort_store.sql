-- Folding the changes of cohorts.

-- name: fold
-- One transaction: each change is deleted where it is added. It is no news that there was none (0071-pulse.sql).
select f.folded, case f.folded when 0 then nextval('quiet_write') end from (select fold_cohorts($1) as folded) f;
