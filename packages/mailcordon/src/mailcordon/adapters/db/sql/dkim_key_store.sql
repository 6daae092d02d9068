-- DKIM keys of ours. The secret leaves the database for SES alone.

-- name: now
-- The database's clock.
select now();

-- name: of_domain
-- What a domain has now, and what was replaced less than $2 ago. No secret: the reader role may not even ask for it.
select k.id, t.slug as tenant, k.domain, k.selector, k.public_key, k.state, k.made_at, k.looked_at, k.looked, k.signing_at, k.replaced_at
from dkim_key k join tenant t on t.id = k.tenant
where k.domain = $1 and (k.state in ('waiting', 'signing') or k.state = 'replaced' and k.replaced_at > now() - $2::interval)
order by k.id desc;

-- name: add
-- Of the tenant that has the domain.
insert into dkim_key (tenant, domain, selector, public_key, secret, made_by)
select i.tenant, i.domain, $2, $3, $4, $5 from identity i where i.domain = $1 and i.freed_at is null
returning tenant;

-- name: drop
-- It was never given to SES. Its secret goes.
update dkim_key set state = 'dropped', secret = null, replaced_at = now() where id = $1 and state = 'waiting' returning tenant, domain;

-- name: due
-- Of domains that SES has and that are still the tenant's.
select k.id, t.slug as tenant, k.domain, k.selector, k.public_key, k.state, k.made_at, k.looked_at, k.looked, k.signing_at, k.replaced_at
from dkim_key k
join tenant t on t.id = k.tenant
join identity i on i.tenant = k.tenant and i.domain = k.domain and i.freed_at is null
join ses_resource r on r.kind = 'identity' and r.name = k.domain and r.observed is not null
where k.state = 'waiting' and k.next_look_at <= now()
order by k.next_look_at limit $1;

-- name: secret
-- Encrypted.
select secret from dkim_key where id = $1;

-- name: looked
-- What came of a try.
update dkim_key set looked_at = now(), looked = $2, next_look_at = $3 where id = $1 and state = 'waiting';

-- name: replace
-- The secret of what signed before is not needed any more. Nothing if the new key was taken back while SES was called.
with new as (select domain from dkim_key where id = $1 and state = 'waiting' for update)
update dkim_key k set state = 'replaced', replaced_at = now(), secret = null
from new where k.state = 'signing' and k.domain = new.domain;

-- name: signs
-- SES has it.
update dkim_key set state = 'signing', signing_at = now(), looked_at = now(), looked = $2 where id = $1 and state = 'waiting'
returning tenant, domain, selector;

-- name: accept
-- What SES has of the identity now is as it should be: another key there is no difference (control/drift.py).
update ses_resource set accepted = null, next_try_at = 'epoch', due_since = coalesce(due_since, now()), work = 'repair'
where kind = 'identity' and name = $1;

-- name: secrets
-- For `mailcordon secrets rotate`.
select id, secret from dkim_key where secret is not null order by id for update;

-- name: rewrite_secret
-- Under another encryption key.
update dkim_key set secret = $2 where id = $1 and secret is not null;
