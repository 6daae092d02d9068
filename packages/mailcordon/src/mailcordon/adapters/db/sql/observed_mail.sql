-- Mail that did not pass through us (observe/observed_mail.py), as the observe role.

-- name: types
-- The catalogue, as rules name its types.
select id::int, name from message_type where retired_at is null;

-- name: rules
-- All of them: they are cached until the control epoch moves.
select r.id, r.by, r.name, r.value, r.tenant, e.slug as tenant_slug, e.key as tenant_key, t.name as type, r.type_tag
  from observed_rule r join tenant e on e.id = r.tenant left join message_type t on t.id = r.type
 where e.retired_at is null;

-- name: place
-- The deliveries of these recipients, made if they are not there (0038-observed.sql). What is known of a domain by its MX records is
-- looked up here; of the others by name.
select p.n, p.delivery, p.tenant, p.lane, p.provider, p.recipient, p.made
  from place_observed(
       $1::text::int[], $2::text::int[], $3::text::bigint[], $4::text::int[], $5::text::text[], $6::text::text[], $7::text::bytea[],
       array(select case when u.provider = -1 then provider_at(domain_of(u.address), (u.at / 60000)::int)::int else u.provider end
               from unnest($8::text::int[], $6::text::text[], $3::text::bigint[]) with ordinality u (provider, address, at, n) order by u.n),
       $9::text::text[], $10::text::boolean[]) p;

-- name: observed_lanes
-- The lanes of tenants and types, made if a rule names them (0038-observed.sql).
select x.tenant, x.type, x.lane
  from (select u.tenant, u.type, observed_lane(u.tenant, u.type) as lane from unnest($1::int[], $2::int[]) u (tenant, type)) x
 where x.lane is not null;

-- name: lanes
-- Lanes by their numbers.
select t.key as tenant_key, y.name as type, l.id as lane, l.tenant, l.class
  from lane l join tenant t on t.id = l.tenant join message_type y on y.id = l.type where l.id = any ($1::int[]);

-- name: want_domains
-- Domains whose provider is to be looked up, with the tenants whose mail met them.
select want_domains(array_agg(u.domain), array_agg(e.slug))
  from unnest($1::text[], $2::int[]) u (domain, tenant) join tenant e on e.id = u.tenant where length(u.domain) > 0;

-- name: count_unmapped
-- Mail that no rule maps, of one origin. Beyond $8 origins in a day the others are counted together.
with t as (
    select (to_timestamp(now_ms() / 1000.0) at time zone 'UTC')::date as today
), k as (
    select t.today, exists (select from observed_unmapped u where u.day = t.today and u.identity = $1 and u.from_domain = $2 and u.configuration_set = $3)
                 or (select count(*) from observed_unmapped u where u.day = t.today) < $8::int as own
      from t
)
insert into observed_unmapped as u (day, identity, from_domain, configuration_set, events, mails, why, tags, first_at, last_at)
select k.today, case when k.own then $1 else '*' end, case when k.own then $2 else '*' end, case when k.own then $3 else '*' end,
       $4::bigint, $5::bigint, $6::text, $7::text[], now_ms(), now_ms()
  from k
on conflict (day, identity, from_domain, configuration_set) do update
   set events = u.events + excluded.events, mails = u.mails + excluded.mails, why = excluded.why, tags = excluded.tags, last_at = excluded.last_at;
