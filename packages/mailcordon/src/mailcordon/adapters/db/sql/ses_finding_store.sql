-- SES's own findings (control/ses_findings.py).

-- name: see
-- What ListRecommendations shows as open of these types: new findings are opened, those that it shows no more end. Our tenants are
-- known by the names of their SES tenants, our domains by theirs.
with shown as (
    select u.* from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[])
        u (arn, name, type, impact, description, since)
), ended as (
    update ses_finding f set ended_at = now_ms()
     where f.ended_at is null and f.type = any($7::text[])
       and not exists (select from shown s where s.arn = f.arn and s.type = f.type)
)
insert into ses_finding as f (arn, name, tenant, type, impact, description, since, first_seen)
select distinct on (s.arn, s.type) s.arn, s.name,
       coalesce((select r.tenant from ses_resource r where r.kind = 'tenant' and r.name = s.name and s.arn like '%:tenant/%'),
                (select r.tenant from ses_resource r where r.kind = 'identity' and r.name = s.name and s.arn like '%:identity/%')),
       s.type, s.impact, s.description, coalesce(s.since, now_ms()), now_ms()
  from shown s
    on conflict (arn, type) where ended_at is null do update
   set impact = excluded.impact, description = excluded.description, tenant = excluded.tenant
 where (f.impact, f.description, f.tenant) is distinct from (excluded.impact, excluded.description, excluded.tenant);

-- name: purge_ended
-- Findings that ended more than $1 ms ago.
delete from ses_finding where ended_at < now_ms() - $1::bigint;
