-- Erasing the personal data of retired tenants.

-- name: request
-- False if one was asked for since the tenant was retired: asking again changes nothing.
select request_erasure($1, $2, $3);

-- name: erasure
-- What was asked for, and how far it is.
select requested_at, requested_by, because, case when done_at is null then deliveries else erased end as deliveries, done_at
from erasure where tenant = $1;

-- name: personal
-- What there is to erase: counted to a limit, since an answer must not cost a scan of all mail.
select (select least(coalesce(sum(x.recipients), 0), $2) from (
            select m.recipients from lane l cross join lateral (
                select cardinality(recipients) as recipients from message where lane = l.id limit $2) m
             where l.tenant = $1 limit $2) x)::int as deliveries,
       (select count(*) from suppression where tenant = $1)::int as suppressions,
       (select count(*) from quarantine where tenant = $1)::int as quarantined;

-- name: due
-- Erasures with a pass to make.
select x.tenant, e.slug, x.done_at is null as first from erasure x join tenant e on e.id = x.tenant
where x.next_at <= now() order by x.requested_at limit 100;

-- name: erase_some
-- One batch, as the owner. 0 ends the pass.
select erase_some($1, $2, $3);

-- name: forgotten_due
-- Forgotten addresses with a pass to make.
select tenant, hash from forgotten_address where next_at <= now() order by next_at limit 100;

-- name: forget_some
-- One batch of a forgotten address's mails, as the owner. 0 ends the pass.
select forget_some($1, $2, $3, $4);
