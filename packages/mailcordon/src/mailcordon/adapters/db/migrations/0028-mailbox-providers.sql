-- 0028-mailbox-providers
select 1;
