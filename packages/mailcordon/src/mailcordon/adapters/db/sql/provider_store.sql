-- What was learnt of recipients' domains. The learner's statements run as the control role, those of `ProviderFeed` as the send role.

-- name: claim
-- Domains to look up: the tenants whose mail met them take turns, of each the longest wanted first. Others take them again after $2 ms,
-- if this process died with them.
update domain_wanted set due_at = now_ms() + $2
 where domain in (
    select w.domain from domain_wanted w
     where w.due_at <= now_ms() and w.domain = any (array(
        select d.domain
          from (select distinct asked_by from domain_wanted where due_at <= now_ms()) a
         cross join lateral (
            select domain, due_at, row_number() over (order by due_at) as turn from domain_wanted
             where asked_by = a.asked_by and due_at <= now_ms() order by due_at limit $1) d
         order by d.turn, d.due_at limit $1))
       for update skip locked)
returning domain, now_ms() as now;

-- name: known
-- What is known of some domains.
select domain, provider, behind, found, mx, since, learnt_at, asked_at, expires_at, failures, detail
  from domain_provider where domain = any ($1::text[]);

-- name: record
-- Stores answers and ends the wish for them. A change of a domain's provider is kept with its minute; a failed look-up is none. A new
-- provider counts from two minutes on: what was counted of a minute that has begun must not belong to two providers.
with l as materialized (
    select * from unnest($1::text[], $2::smallint[], $3::smallint[], $4::smallint[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[],
                         $9::int[], $10::text[])
                    u (domain, provider, behind, found, mx, since, learnt_at, expires_at, failures, detail)
), w as (
    insert into domain_provider as p (domain, provider, behind, found, mx, since, learnt_at, asked_at, expires_at, failures, detail)
    select domain, provider, behind, found, string_to_array(mx, ' '), since, learnt_at, now_ms(), expires_at, failures, detail
      from l order by domain
    on conflict (domain) do update
       set provider = excluded.provider, behind = excluded.behind, found = excluded.found, mx = excluded.mx, since = excluded.since,
           learnt_at = excluded.learnt_at, asked_at = excluded.asked_at, expires_at = excluded.expires_at,
           failures = excluded.failures, detail = excluded.detail
), c as (
    insert into domain_provider_change (domain, minute, provider)
    select domain, (learnt_at / 60000)::int
                   + case when exists (select from domain_provider_change c where c.domain = l.domain) then 2 else 0 end, provider from l
     where provider >= 0
       and provider is distinct from (select c.provider from domain_provider_change c where c.domain = l.domain order by c.minute desc limit 1)
    on conflict (domain, minute) do update set provider = excluded.provider
)
delete from domain_wanted where domain = any ($1::text[]);

-- name: touch
-- Domains that were wanted although something recent is known of them: a process had forgotten it, and reads it again.
with t as (
    update domain_provider set asked_at = now_ms() where domain = any ($1::text[])
)
delete from domain_wanted where domain = any ($1::text[]);

-- name: move_unknown
-- Counts of unknown providers that have become known.
select move_unknown($1::text[], $2);

-- name: unsettled
-- Domains with counts of unknown providers of the last $1 ms that are known by now, or were never looked up. Those whose look-ups fail
-- may be many, and must not stand before these.
select x.domain, x.known, x.asked
  from (select u.domain, exists (select from domain_provider_change c where c.domain = u.domain) as known,
               exists (select from domain_provider p where p.domain = u.domain) as asked
          from (select distinct domain from cohort_unknown where minute >= (now_ms() - $1::bigint) / 60000) u) x
 where x.known or not x.asked limit $2;

-- name: forget_counts
-- Counts by domain of minutes that are too old to change.
delete from cohort_unknown where minute < (now_ms() - $1::bigint) / 60000;

-- name: forget_domains
-- Domains that nobody wrote to since their answers expired $1 ms ago, with their changes.
with gone as (
    delete from domain_provider where expires_at < now_ms() - $1::bigint returning domain
), c as (
    delete from domain_provider_change where domain in (select domain from gone)
)
select count(*)::int from gone;

-- name: newest_since
-- For a process that starts: since when the last $1 domains were asked.
select asked_at from domain_provider order by asked_at desc offset $1 limit 1;

-- name: asked_since
-- What was asked from a time on.
select domain, provider, expires_at, asked_at from domain_provider where asked_at >= $1 order by asked_at limit $2;

-- name: want
-- Domains that mail was accepted to and that are not known here.
select want_domains($1::text[], $2::text[]);

-- name: is_wanted
-- Whether a look-up of the domain is due.
select exists (select from domain_wanted where domain = $1);
