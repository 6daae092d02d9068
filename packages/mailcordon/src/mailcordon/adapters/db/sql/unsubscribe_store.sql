-- What the pages behind links to unsubscribe read and change. As the control role; the rows are those of a recipient's keyed hash.

-- name: lanes_of_link
-- The lane of the link, and the tenant's other marketing lanes. Retired tenants and lanes too: their links work.
select l.id as lane, l.tenant, e.slug, y.name as type, y.description, l.class,
       (select r.domain from route r where r.lane = l.id order by r.share desc, r.path limit 1) as domain,
       exists (select from suppression s
                where (s.tenant, s.hash, s.scope, s.target) = (l.tenant, $2::bytea, 2::smallint, l.id) and s.cause = 'unsubscribe'
                  and (s.until is null or s.until > now_ms())) as unsubscribed,
       exists (select from suppression s
                where s.tenant = l.tenant and s.hash = $2
                  and (s.scope = 0 or s.scope = 1 and s.target = l.class or s.scope = 2 and s.target = l.id and s.cause <> 'unsubscribe')
                  and (s.until is null or s.until > now_ms()))
         or exists (select from platform_suppression p where p.hash = $2 and (p.class is null or p.class = l.class)) as stopped
  from lane o
  join lane l on l.tenant = o.tenant
  join tenant e on e.id = l.tenant
  join message_type y on y.id = l.type
 where o.id = $1 and (l.id = $1 or l.class = 2 and l.retired_at is null)
 order by l.id <> $1, y.name limit 100;

-- name: address_of_hash
-- A link has no address. The suppression that follows from it shows the one of the newest mail, as long as it is kept.
select coalesce(
           (select s.address from suppression s where s.tenant = $1 and s.hash = $2::bytea and s.address like '%@%' limit 1),
           (select m.recipients[(x.id & 63)::int]
              from (select id from recipient where tenant = $1 and hash = $2 order by id desc limit 1) x
              join message m on m.id = x.id & ~63::bigint
             where m.recipients[(x.id & 63)::int] like '%@%'),
           'erased');

-- name: unsubscribe_over
-- What somebody suppressed by hand earlier stays in the evidence, and stands again once the unsubscription is taken back.
update suppression
   set cause = 'unsubscribe', since = $4, until = null, by = $5, removing_since = null, removal_waits = null, removal_next_at = null,
       evidence = $6::jsonb || jsonb_build_object('stood', jsonb_build_object(
           'cause', cause, 'since', since, 'until', until, 'by', by, 'evidence', evidence))
 where (tenant, hash, scope, target) = ($1, $2::bytea, 2::smallint, $3::int) and cause <> 'unsubscribe';

-- name: unsubscribed_at
-- Locked, since a change follows in the same transaction.
select address, since from suppression
 where (tenant, hash, scope, target) = ($1, $2::bytea, 2::smallint, $3::int) and cause = 'unsubscribe'
   for update;

-- name: restore
-- What stood before the unsubscription, unless it has ended.
update suppression
   set cause = evidence #>> '{stood,cause}', since = (evidence #>> '{stood,since}')::bigint, until = (evidence #>> '{stood,until}')::bigint,
       by = evidence #>> '{stood,by}', evidence = evidence #> '{stood,evidence}'
 where (tenant, hash, scope, target) = ($1, $2::bytea, 2::smallint, $3::int) and cause = 'unsubscribe' and evidence ? 'stood'
   and coalesce((evidence #>> '{stood,until}')::bigint, 9223372036854775807) > now_ms()
returning 1;

-- name: resubscribe
-- At once, unlike other removals: an unsubscription is on no list of SES. Evidence from before is void.
with gone as (
    delete from suppression
     where (tenant, hash, scope, target) = ($1, $2::bytea, 2::smallint, $3::int) and cause = 'unsubscribe'
    returning tenant, hash, scope, target
)
insert into suppression_removal as r (tenant, hash, scope, target, at)
select tenant, hash, scope, target, now_ms() from gone
on conflict (tenant, hash, scope, target) do update set at = greatest(r.at, excluded.at);

-- name: lanes_without_host
-- Marketing lanes whose links need the shared host name: one of them, and how many there are.
select e.slug as tenant, y.name as type, count(*) over () as lanes
  from lane l join tenant e on e.id = l.tenant join message_type y on y.id = l.type
 where l.class = 2 and l.retired_at is null and not exists (select from unsubscribe_host h where h.tenant = l.tenant)
 order by l.id limit 1;

-- name: host_of
-- The tenant's own, if it has one.
select host from unsubscribe_host where tenant = $1;

-- name: is_foreign_host
-- Whether a host name is, or is below, a domain of another tenant.
select exists (select from identity i where i.tenant <> $1 and ($2::text = i.domain or right($2, length(i.domain) + 1) = '.' || i.domain));

-- name: set_host
-- Of the links in the tenant's mail from now on. Older links keep their host name, which must go on to lead to us.
insert into unsubscribe_host as h (tenant, host, set_by) values ($1, $2, $3)
on conflict (tenant) do update set host = excluded.host, set_at = now_ms(), set_by = excluded.set_by;

-- name: drop_host
-- The links in the tenant's mail have the shared host name again.
delete from unsubscribe_host where tenant = $1;
