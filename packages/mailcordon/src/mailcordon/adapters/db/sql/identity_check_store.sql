-- Checks of domains: what they are about, what they found, and the holds that lapses ask for. Times are milliseconds since 1970.

-- name: facts
-- A domain with what SES last returned of it, and the public half of the key of ours that SES signs with, if it does.
select i.id, i.tenant, i.domain, i.status, i.mail_from, (extract(epoch from i.created_at) * 1000)::bigint as created_at,
       coalesce(i.retired_at, i.freed_at) is not null as retired, s.whole, (extract(epoch from s.observed_at) * 1000)::bigint as observed_at,
       (select k.public_key from dkim_key k
         where k.tenant = i.tenant and k.domain = i.domain and k.selector = s.whole #>> '{DkimAttributes,Tokens,0}') as public_key
  from identity i left join ses_resource s on s.kind = 'identity' and s.name = i.domain
 where i.id = $1;

-- name: lanes
-- The lanes that send from a domain.
select distinct l.id, t.name as type, l.class, r.domain
  from route r join lane l on l.id = r.lane join message_type t on t.id = l.type
 where r.identity = $1 and l.retired_at is null
 order by l.class, t.name limit 200;

-- name: lock_tenant_checks
-- Checks that are asked for at once are counted one after the other.
select pg_advisory_xact_lock(20556, $1);

-- name: asked
-- How long ago a check of the domain was asked for, and how many domains of its tenant were asked about in the last minute.
select (select s.asked_at from identity_state s where s.identity = $1) as asked_at,
       (select count(*) from identity_state s where s.tenant = $2 and s.asked_at > $3::bigint - 60000 and s.asked_at <= $3::bigint) as recent;

-- name: ask
-- A check begins now.
update identity_state set asked_at = $2 where identity = $1;

-- name: look_at_ses
-- SES's view is read again soon, if it is older than a minute. Among the repairs: what SES refuses mail for is more pressing.
update ses_resource
set next_try_at = 'epoch', due_since = coalesce(due_since, now()), work = 'repair'
where kind = 'identity' and name = $1 and work = 'scan' and state = 'applied' and wanted
  and observed_at < now() - make_interval(mins => 1);

-- name: claim_due
-- Takes the domains that are due, so that no other process checks them too. They are due again after the lease, in case this
-- process dies. Retired ones are looked at once a day: they may be taken back into use. A new one waits until SES is known to have
-- verified it, for a minute at most: what was judged before would be looked up again soon.
update identity_state s
set next_check_at = case when i.retired_at is null and i.freed_at is null then $1::bigint + $2::bigint else $1::bigint + 86400000 end
from (select n.identity from identity_state n
       where n.next_check_at <= $1::bigint
         and (n.checked_at is not null or n.next_check_at <= $1::bigint - 60000 or exists (
                  select from identity d join ses_resource r on r.kind = 'identity' and r.name = d.domain
                   where d.id = n.identity and d.status = 'verified' and r.whole is not null))
       order by n.next_check_at limit $3 for update of n skip locked) due
join identity i on i.id = due.identity
where s.identity = due.identity
returning s.identity, i.retired_at is null and i.freed_at is null as active;

-- name: lock_state
-- Two checks of one domain are folded one after the other. None: the domain is gone.
select s.tenant, s.evidence, s.lapsed_at, s.checked_at, i.domain
  from identity_state s join identity i on i.id = s.identity where s.identity = $1 for update of s;

-- name: write_check
-- Its tenant is the one that has the domain now.
insert into identity_check (tenant, identity, at, asked, authoritative, complete, passes, result)
select s.tenant, s.identity, $2, $3, $4, $5, $6, $7::jsonb from identity_state s where s.identity = $1;

-- name: keep_newest
-- The newest $2 checks of a domain are kept.
delete from identity_check where identity = $1 and id < (
    select c.id from identity_check c where c.identity = $1 order by c.id desc offset $2 - 1 limit 1
);

-- name: write_state
-- What the checks add up to.
update identity_state
set evidence = $2::jsonb, lapsed_at = $3, next_check_at = $4, checked_at = greatest(checked_at, $5),
    answered_at = case when $6 then greatest(answered_at, $5) else answered_at end
where identity = $1;

-- name: last
-- The newest check of a domain, and what all of them add up to.
select s.evidence, s.next_check_at, s.checked_at, c.at, c.asked, c.authoritative, c.complete, c.passes, c.result
  from identity_state s
  left join lateral (select * from identity_check c where c.identity = s.identity order by c.id desc limit 1) c on true
 where s.identity = $1;

-- name: lapsed_lanes
-- The lanes on domains that have lapsed.
select distinct l.id as lane, l.tenant, l.class, i.domain, s.evidence::text as evidence
  from identity_state s join identity i on i.id = s.identity
  join route r on r.identity = i.id join lane l on l.id = r.lane
 where s.lapsed_at is not null and i.retired_at is null and i.freed_at is null and l.retired_at is null;

-- name: lapse_holds
-- The open holds that were placed for lapses, and those that somebody lifted while the lapse lasts.
select h.id, h.tenant, h.lane, h.evidence::text as evidence, h.lifted_at is not null as lifted
  from hold h
 where h.evidence ? 'lapse' and h.owner = 'policy'
   and (h.lifted_at is null or h.lifted_by <> 'policy' and exists (
           select from route r join identity_state s on s.identity = r.identity
            where r.lane = h.lane and s.lapsed_at = (h.evidence ->> 'lapsed_at')::bigint));

-- name: policies
-- What people have set.
select class, effect, action, rate, by, because, at from lapse_policy;

-- name: set_policy
-- What a lapse does to the lanes of a class.
insert into lapse_policy (class, effect, action, rate, by, because) values ($1, $2, $3, $4, $5, $6)
on conflict (class, effect) do update
set action = excluded.action, rate = excluded.rate, by = excluded.by, because = excluded.because, at = now();
