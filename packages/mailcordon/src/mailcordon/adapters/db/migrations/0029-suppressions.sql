-- 0029-suppressions
select 1;
