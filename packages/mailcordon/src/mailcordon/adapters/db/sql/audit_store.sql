-- The audit trail and its hash chain (docs/audit.md).

-- name: audit_page
-- Newest first, of one tenant or of all. Personal fields as {name: value}; null for one that was erased.
select a.id, c.seq, a.at, a.actor, a.action, e.slug as tenant, a.object, a.before, a.after, a.because,
       (select jsonb_object_agg(f.key, f.value -> 'value') from jsonb_each(a.personal) f) as personal
from audit a left join tenant e on e.id = a.tenant left join audit_chain c on c.audit = a.id
where ($1::int is null or a.tenant = $1) and ($2::bigint is null or a.id < $2)
  and ($4::text is null or position(lower($4) in lower(a.actor)) > 0)
  and ($5::text is null or starts_with(a.action, $5))
  and ($6::text is null or position(lower($6) in lower(a.object)) > 0 or position(lower($6) in lower(a.because)) > 0)
  and ($7::bigint is null or a.at >= to_timestamp($7 / 1000.0)) and ($8::bigint is null or a.at < to_timestamp($8 / 1000.0))
order by a.id desc limit $3;

-- name: audit_head
-- The last row of the chain.
select coalesce(c.seq, 0) as seq, coalesce(c.hash, decode(repeat('00', 32), 'hex')) as hash,
       (select name from installation) as installation, now() as at
from (values (1)) one left join lateral (select seq, hash from audit_chain order by seq desc limit 1) c on true;

-- name: audit_entries
-- Places of the chain with their rows. A time that no calendar has is null: no row of ours has one.
select c.seq, c.audit, c.digest, c.hash, a.id,
       case when a.at between '0001-01-02' and '9999-12-30' then (extract(epoch from a.at) * 1000000)::bigint end as at_us,
       a.salt, a.actor, a.action, a.tenant, a.object, a.before::text as before, a.after::text as after, a.because,
       a.personal::text as personal
from audit_chain c left join audit a on a.id = c.audit
where c.seq > $1 and c.seq <= $2
order by c.seq limit $3;

-- name: audit_proof
-- As `audit_entries`, with the rows of one tenant alone.
select c.seq, c.audit, c.digest, c.hash, a.id,
       case when a.at between '0001-01-02' and '9999-12-30' then (extract(epoch from a.at) * 1000000)::bigint end as at_us,
       a.salt, a.actor, a.action, a.tenant, a.object, a.before::text as before, a.after::text as after, a.because,
       a.personal::text as personal
from audit_chain c left join audit a on a.id = c.audit and a.tenant = $3
where c.seq > $1
order by c.seq limit $2;

-- name: audit_hash_at
-- The hash at one place; none if the chain does not have it.
select hash from audit_chain where seq = $1;

-- name: audit_hashes
-- For a checkpoint: the hashes since the one before.
select seq, hash from audit_chain where seq > $1 and seq <= $2 order by seq limit $3;

-- name: audit_unchained
-- The first row that is not in the chain, and where it would be by its id. Every row that we write is chained in its transaction.
select a.id, case when a.at between '0001-01-02' and '9999-12-30' then (extract(epoch from a.at) * 1000000)::bigint end as at_us,
       a.salt, a.actor, a.action, a.tenant, a.object, a.before::text as before, a.after::text as after, a.because,
       a.personal::text as personal, (select min(c.seq) from audit_chain c where c.audit > a.id) as place
from audit a
where not exists (select from audit_chain c where c.audit = a.id)
order by a.id limit 1;

-- name: erase_personal
-- Ends the personal fields of one tenant's rows. Returns of how many rows.
select audit_erase_personal($1);
