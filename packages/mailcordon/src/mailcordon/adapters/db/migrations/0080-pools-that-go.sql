-- An IP pool can be deleted once nothing uses it (docs/ip-pools.md). Who was in it before stays on record; who is in it keeps it.
alter table ip_pool_member add column live_pool text generated always as (case when ended_at is null then pool end) stored;
alter table ip_pool_member drop constraint ip_pool_member_pool_marketing_fkey;
alter table ip_pool_member add foreign key (live_pool, marketing) references ip_pool (name, marketing);
grant delete on ip_pool to {{control}};
