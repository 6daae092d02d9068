-- 0026-feedback-losses
select 1;
