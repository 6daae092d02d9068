-- Claims: which tenant has a domain, who else wants it, and how it is shown.

-- name: now
-- The database's clock: every process agrees on it.
select now();

-- name: tenant_exists
-- Retired ones too.
select exists (select from tenant where slug = $1);

-- name: prove_verified
-- Only the holder was shown the DKIM records by which SES verified the domain. If another tenant contends, that is not enough.
with proved as (
    update domain_claim c set proved_at = now(), proof = 'ses'
    from identity i
    where i.tenant = c.tenant and i.domain = c.domain and i.freed_at is null and i.status = 'verified'
      and c.holds and c.ended_at is null and c.proved_at is null and c.contended_at is null
    returning c.tenant, c.domain
)
select tenant, domain from proved order by domain;

-- name: provable
-- Whether `prove_verified` has something to do.
select exists (
    select from domain_claim c
    join identity i on i.tenant = c.tenant and i.domain = c.domain and i.freed_at is null and i.status = 'verified'
    where c.holds and c.ended_at is null and c.proved_at is null and c.contended_at is null);

-- name: claim
-- By its number; locked, so that it is settled once.
select c.id, c.domain, t.slug as tenant, c.holds, c.token, c.claimed_at, c.claimed_by, c.contended_at, c.looked_at, c.looked,
       c.proved_at, c.proof, c.ended_at, c.ended_because
from domain_claim c join tenant t on t.id = c.tenant where c.id = $1 for update of c;

-- name: open_claim
-- A tenant's own, whether it has the domain or contends for it.
select c.id, c.domain, t.slug as tenant, c.holds, c.token, c.claimed_at, c.claimed_by, c.contended_at, c.looked_at, c.looked,
       c.proved_at, c.proof, c.ended_at, c.ended_because
from domain_claim c join tenant t on t.id = c.tenant where t.slug = $1 and c.domain = $2 and c.ended_at is null;

-- name: holders
-- Who has this domain, or one above or below it.
select c.id as claim, t.slug as tenant, c.domain, c.proved_at is not null as proved, i.status = 'verified' as verified,
       t.retiring_at is not null or i.retiring_at is not null as retired
from domain_claim c
join tenant t on t.id = c.tenant
join identity i on i.tenant = c.tenant and i.domain = c.domain
where c.holds and c.ended_at is null and (c.domain = $1 or c.domain like '%.' || $1 or $1 like '%.' || c.domain)
order by c.domain;

-- name: contend
-- A claim without the domain.
insert into domain_claim (domain, tenant, holds, token, claimed_by)
select $2, t.id, false, $3, $4 from tenant t where t.slug = $1
returning tenant;

-- name: mark_contended
-- From now on the holders have to show their tokens, and are looked at.
update domain_claim set contended_at = coalesce(contended_at, now()), next_look_at = now()
where holds and ended_at is null and proved_at is null
  and (domain = $1 or domain like '%.' || $1 or $1 like '%.' || domain)
returning tenant, domain;

-- name: unmark_contended
-- Holders that nobody contends with any more.
update domain_claim h set contended_at = null
where h.holds and h.ended_at is null and h.contended_at is not null and not exists (
    select from domain_claim c
    where not c.holds and c.ended_at is null
      and (c.domain = h.domain or c.domain like '%.' || h.domain or h.domain like '%.' || c.domain));

-- name: looked
-- What the DNS said of a token.
update domain_claim set looked_at = now(), looked = $2, next_look_at = $3 where id = $1;

-- name: prove
-- In words of `proof`.
update domain_claim set proved_at = now(), proof = $2, contended_at = null where id = $1 and ended_at is null
returning tenant, domain;

-- name: end
-- Of a claim that holds no domain.
update domain_claim set ended_at = now(), ended_because = $2 where id = $1 and not holds and ended_at is null
returning tenant, domain;

-- name: end_rivals
-- Those that contend for what is proved now.
update domain_claim set ended_at = now(), ended_because = $3
where not holds and ended_at is null and id <> $2 and (domain = $1 or domain like '%.' || $1 or $1 like '%.' || domain)
returning tenant, domain;

-- name: claims
-- A page: of one tenant or of all; ended ones too if $4.
select c.id, c.domain, t.slug as tenant, c.holds, c.token, c.claimed_at, c.claimed_by, c.contended_at, c.looked_at, c.looked,
       c.proved_at, c.proof, c.ended_at, c.ended_because
from domain_claim c join tenant t on t.id = c.tenant
where ($1::int is null or c.tenant = $1) and c.id > $2 and ($4 or c.ended_at is null)
order by c.id limit $3;

-- name: lapsed
-- The oldest first. A holder that is contended waits: SES may have verified its domain, which counts again once the contender's claim
-- has lapsed.
select id from domain_claim
where ended_at is null and proved_at is null and contended_at is null and claimed_at <= $1 order by claimed_at limit $2;

-- name: to_look
-- Contenders, and holders that are contended with.
select c.id, c.domain, t.slug as tenant, c.holds, c.token, c.claimed_at, c.claimed_by, c.contended_at, c.looked_at, c.looked,
       c.proved_at, c.proof, c.ended_at, c.ended_because
from domain_claim c join tenant t on t.id = c.tenant
where c.ended_at is null and c.proved_at is null and (not c.holds or c.contended_at is not null) and c.next_look_at <= now()
order by c.next_look_at limit $1;

-- name: share
-- Names below it may belong to different tenants.
insert into shared_parent (domain, by, because) values ($1, $2, $3) on conflict (domain) do nothing returning domain;

-- name: prove_below
-- The platform speaks for the names below its own domain.
update domain_claim set proved_at = now(), proof = 'parent', contended_at = null
where holds and ended_at is null and proved_at is null and domain like '%.' || $1
returning tenant, domain;

-- name: unshare
-- It becomes an ordinary domain.
delete from shared_parent where domain = $1 returning domain;

-- name: unprove_below
-- Claims that nothing but the shared parent proved. Their time begins anew; SES may have verified them.
update domain_claim set proved_at = null, proof = null, claimed_at = now()
where holds and ended_at is null and proof = 'parent' and domain like '%.' || $1
  and not exists (select from shared_parent p where domain_claim.domain like '%.' || p.domain);

-- name: shared_parents
-- With the number of tenants that have a name below each.
select p.domain, p.since, p.by, p.because,
       (select count(distinct i.tenant)::int from identity i where i.freed_at is null and i.domain like '%.' || p.domain) as tenants
from shared_parent p order by p.domain;

-- name: owned
-- In the order in which they came.
select i.domain, t.slug as tenant, i.created_at as since
from identity i join tenant t on t.id = i.tenant where i.freed_at is null order by i.created_at, i.id;
