-- What rehearsals need besides the record of a back-test (control/rehearsals.py), as the control role.

-- name: lanes
-- Whose these lanes are, and what the breaker may do to their mail now. No row: it only says what it would do.
select l.id as lane, l.tenant, b.absolute, b.relative from lane l left join breaker_lane b on b.lane = l.id where l.id = any ($1::int[]);

-- name: routes
-- What these lanes' mail leaves from, by path.
select r.lane, r.path, r.share, r.domain, r.ip_pool from route r where r.lane = any ($1::int[]) order by r.lane, r.share desc, r.path;

-- name: people
-- Who is told of what happens to these tenants' mail, beside alert channels.
select t.id as tenant, f.owner_group,
       array(select c.target from tenant_contact c where c.tenant = t.id and 'holds' = any (c.tell) order by c.form) as contacts
  from tenant t left join tenant_fact f on f.tenant = t.id where t.id = any ($1::int[]);
