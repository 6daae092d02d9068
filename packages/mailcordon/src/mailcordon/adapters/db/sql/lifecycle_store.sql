-- Retiring and unretiring lanes, domains and tenants. A retired lane's mail leaves or is cancelled before the lane ends; rows stay.

-- name: retire_lanes
-- Of a tenant: one lane by its type, those on a domain, or all. Those that are retired already stay as they are. Locked in id order,
-- as everywhere.
update lane l set retiring_at = now(), retire_mail = $4, retired_with = $5
  from message_type t
 where t.id = l.type and l.tenant = $1 and l.retiring_at is null and ($2::text is null or t.name = $2)
   and ($3::text is null or exists (select from route r where r.lane = l.id and r.domain = $3))
   and l.id in (select id from lane where tenant = $1 order by id for no key update);

-- name: retire_domains
-- Of a tenant: one domain, or all.
update identity set retiring_at = now(), retired_with = $3
 where tenant = $1 and retiring_at is null and ($2::text is null or domain = $2);

-- name: retire_tenant
-- It is retired when its last lane is (`tenants_done`).
update tenant set retiring_at = now() where id = $1 and retiring_at is null;

-- name: revoke_keys
-- A retired tenant's keys work no more, and unretiring it does not make them valid again.
update api_key set revoked_at = now() where tenant = $1 and revoked_at is null returning prefix;

-- name: stop_moving
-- Lanes that are being retired keep the routes that their mail was accepted for.
update route r set next_configuration_set = null, next_ses_tenant = null
  from lane l where l.id = r.lane and r.tenant = $1 and l.retiring_at is not null and r.next_configuration_set is not null;

-- name: unretire_lanes
-- What was retired together comes back together. Held until the governor has derived it, as a new lane is: holds may have been
-- placed and lifted in between.
update lane l set retiring_at = null, retire_mail = null, retired_with = null, sealed_at = null, drained_at = null, retired_at = null, held = true
  from message_type t
 where t.id = l.type and l.tenant = $1 and l.retiring_at is not null and ($2::text is null or t.name = $2)
   and ($3::text is null or exists (select from route r where r.lane = l.id and r.domain = $3))
   and ($4::text is null or l.retired_with = $4)
   and l.id in (select id from lane where tenant = $1 order by id for no key update);

-- name: unretire_domains
-- The identity may be gone at SES: its lanes wait until SES reports it as verified.
update identity set retiring_at = null, retired_with = null, status = case when retired_at is null then status else 'pending' end,
                    retired_at = null
 where tenant = $1 and retiring_at is not null and ($2::text is null or domain = $2) and ($3::text is null or retired_with = $3);

-- name: being_erased
-- Until the first pass is over, the tenant stays retired.
select exists (select from erasure where tenant = $1 and done_at is null);

-- name: unretire_tenant
-- Its lanes and domains come back apart from this.
update tenant set retiring_at = null, retired_at = null where id = $1;

-- name: seal
-- Every transaction that accepts mail inserts into `idempotency`, and takes that lock before its snapshot. So once this lock is
-- ours, none that began before a retirement can still add mail, and every later one knows of it.
lock table idempotency in share mode;

-- name: sealed
-- Their queue can only get shorter from here on.
update lane set sealed_at = now() where retiring_at is not null and retired_at is null and sealed_at is null returning id;

-- name: wait_briefly
-- Accepting mail waits behind a lock that is being waited for.
set local lock_timeout = '300ms';

-- name: retiring
-- Lanes after $1 that are being retired, and their mail. Bounded: the next round has the ones after these, since a lane may drain for
-- days.
select l.id as lane, l.tenant, e.slug, t.name as type, l.class, l.retire_mail as mail, l.sealed_at is not null as sealed,
       extract(epoch from now() - l.drained_at)::float8 as drained_for,
       exists (select from ready r where r.lane = l.id) or exists (select from waiting w where w.lane = l.id) as has_mail,
       exists (select from ready r where r.lane = l.id and r.state = 0)
         or exists (select from waiting w where w.lane = l.id and w.why <> 2) as has_cancellable,
       (select f.sent from lane_total f where f.lane = l.id) > 0 as has_sent
  from lane l join tenant e on e.id = l.tenant join message_type t on t.id = l.type
 where l.retiring_at is not null and l.retired_at is null and l.id > $1
 order by l.id limit $2;

-- name: drained
-- Nothing can come back once it is sealed: what is ready, on the wire or unknown is in one of the two tables in every snapshot.
update lane l set drained_at = now()
 where l.id = any($1::int[]) and l.sealed_at is not null and l.drained_at is null
   and not exists (select from ready r where r.lane = l.id) and not exists (select from waiting w where w.lane = l.id);

-- name: tenants_with_ends
-- Tenants of which a domain or the tenant itself can be retired: those whose lanes still drain are not among them.
select distinct x.tenant from (
    select i.tenant from identity i
     where i.retiring_at is not null and i.retired_at is null
       and not exists (select from route r join lane l on l.id = r.lane where r.identity = i.id and l.retired_at is null)
    union all
    select e.id from tenant e
     where e.retiring_at is not null and e.retired_at is null
       and not exists (select from lane l where l.tenant = e.id and l.retired_at is null)
       and not exists (select from identity i where i.tenant = e.id and i.retired_at is null)
) x order by 1 limit 100;

-- name: lanes_done
-- Only if it was not unretired meanwhile.
update lane l set retired_at = now()
  from message_type t
 where t.id = l.type and l.tenant = $1 and l.id = any($2::int[]) and l.retiring_at is not null and l.retired_at is null
   and l.drained_at is not null
returning t.name as type;

-- name: domains_done
-- Those without a lane that still needs them.
update identity i set retired_at = now()
 where i.tenant = $1 and i.retiring_at is not null and i.retired_at is null
   and not exists (select from route r join lane l on l.id = r.lane where r.identity = i.id and l.retired_at is null)
returning i.domain;

-- name: tenants_done
-- The tenant, once all of its lanes and domains are retired.
update tenant e set retired_at = now()
 where e.id = $1 and e.retiring_at is not null and e.retired_at is null
   and not exists (select from lane l where l.tenant = e.id and l.retired_at is null)
   and not exists (select from identity i where i.tenant = e.id and i.retired_at is null)
returning e.slug;

-- name: slug
-- For the words of the audit trail.
select slug from tenant where id = $1;

-- name: tenant_facts
-- For a preview.
select e.id, e.slug, e.dedicated, e.ses_tenants,
       array(select domain from identity where tenant = e.id and retired_at is not null) as gone,
       array(select domain from identity where tenant = e.id and status = 'verified') as verified,
       (select count(*)::int from api_key k
         where k.tenant = e.id and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())) as keys
  from tenant e where e.slug = $1;

-- name: lane_facts
-- All lanes of a tenant, retired ones too, with their mail: what is on the wire or unknown apart. Expired mail is not counted.
select l.id as lane, t.name as type, l.class, r.domain, i.status = 'verified' as verified, r.configuration_set, r.ses_tenant,
       l.retired_with, l.retire_mail, l.retired_at is not null as ended, l.expiry_ms,
       (select count(*) from ready q where q.lane = l.id and q.state = 0 and q.id >= first_id_at(now_ms() - l.expiry_ms))
         + (select count(*) from waiting w where w.lane = l.id and w.why <> 2 and w.id >= first_id_at(now_ms() - l.expiry_ms)) as queued,
       (select count(*) from ready q where q.lane = l.id and q.state = 1)
         + (select count(*) from waiting w where w.lane = l.id and w.why = 2) as sending
  from lane l join message_type t on t.id = l.type join route r on r.lane = l.id and r.path = 'isolated' join identity i on i.id = r.identity
 where l.tenant = $1 order by l.class, t.name;
