-- 0031-rates
select 1;
