-- Folding the changes of cohorts.

-- name: fold
-- One transaction: each change is deleted where it is added.
select fold_cohorts($1);
