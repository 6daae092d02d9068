-- 0027-bounce-reasons
select 1;
