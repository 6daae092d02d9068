-- Proofs of attribution: asking for them, judging and showing them. $1 of what a viewer reads is its tenant, or null for all.

-- name: lanes
-- Lanes that take mail, each with its newest proof that says something about its attribution, and the one that runs.
select l.id as lane, e.slug as tenant, t.name as type, proof_parts(l.id) as parts_now,
       p.id, p.ended_at, p.proved, p.because, p.parts,
       (select o.id from proof o where o.lane = l.id and o.ended_at is null) as running
  from lane l join tenant e on e.id = l.tenant join message_type t on t.id = l.type
  left join lateral (select * from proof x where x.lane = l.id and x.counts order by x.id desc limit 1) p on true
 where ($1::int is null or l.tenant = $1) and ($2::text is null or t.name = $2) and l.retired_at is null and l.retiring_at is null
   and l.id > $3
 order by l.id limit $4;

-- name: lock_asking
-- The bounds hold whoever else asks at the same time.
select pg_advisory_xact_lock(hashtext('mailcordon.proofs'));

-- name: running
-- The proofs that run, of these lanes.
select id, lane from proof where lane = any($1::int[]) and ended_at is null;

-- name: count_running
-- Of a tenant, and of all.
select count(*) filter (where tenant = $1) as of_tenant, count(*) as all from proof where ended_at is null;

-- name: add_proof
-- One proof of a lane.
insert into proof (tenant, lane, asked_at, asked_by, limit_ms) values ($1, $2, now_ms(), $3, $4) returning id, asked_at;

-- name: add_mail
-- One mail of a proof.
insert into proof_mail (id, proof, tenant, lane, what) values ($1, $2, $3, $4, $5);

-- name: proofs
-- Proofs by their ids.
select p.*, e.slug, t.name as type_name, l.class
  from proof p join tenant e on e.id = p.tenant join lane l on l.id = p.lane join message_type t on t.id = l.type
 where ($1::int is null or p.tenant = $1) and p.id = any($2::bigint[]) order by p.id;

-- name: mails
-- The mails of these proofs.
select * from proof_mail where proof = any($1::bigint[]) order by proof, id;

-- name: events
-- What came back of these proofs, with the lanes that it was attributed to.
select v.*, e.slug, t.name as type_name
  from proof_mail m join proof_event v on v.mail = m.id
  left join lane l on l.id = v.attributed_lane left join tenant e on e.id = l.tenant left join message_type t on t.id = l.type
 where m.proof = any($1::bigint[]) order by v.mail, v.received_at, v.kind;

-- name: open
-- The proofs that run, with what is known of their lanes. A lane that is being retired has no parts: its mail leaves, a proof's does not.
select p.id, p.lane, case when l.retiring_at is null and l.retired_at is null then proof_parts(p.lane) end as parts_now
  from proof p join lane l on l.id = p.lane where p.ended_at is null order by p.id limit $1;

-- name: set_scope
-- What SES returned.
update proof set scope = $2::jsonb where id = $1 and ended_at is null;

-- name: end_proof
-- The verdict, with the parts of the route that it is about: the destination as SES had it, if it was read there. Nothing if it has
-- ended. Returns the set whose destination is to be read again, if what was read before is something else.
update proof set ended_at = now_ms(), proved = $2, because = $3, faults = $4::jsonb, counts = $5,
                 parts = proof_parts(lane) || coalesce(nullif(scope -> 'destination', 'null'), '{}')
 where id = $1 and ended_at is null
returning case when parts is distinct from proof_parts(lane) then parts ->> 'configuration_set' end as read_again;

-- name: observers
-- What observers reported last.
select facts, beat, now_ms() as now from role_health where role = 'observe' order by beat desc limit 100;

-- name: purge
-- Old proofs, and those of a lane beyond its newest $2. The newest that says something about attribution stays, whatever its age.
delete from proof where id in (
    select id from (
        select id, lane, ended_at, counts, row_number() over (partition by lane order by id desc) as place,
               row_number() over (partition by lane, counts order by id desc) as of_kind
          from proof where ended_at is not null) x
     where (x.ended_at < now_ms() - $1::bigint or x.place > $2) and not (x.counts and x.of_kind = 1)
     limit $3);
