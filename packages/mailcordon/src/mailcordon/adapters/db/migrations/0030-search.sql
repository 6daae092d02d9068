-- 0030-search
select 1;
