-- That the database was restored, and what becomes of the mail that was queued in the backup. As the governor.

-- name: last_report
-- The newest report of a dispatcher that the database knows: of a backup, about when it was made.
select greatest((select max(at) from dispatch_home), (select max(heartbeat) from worker))::bigint;

-- name: explained
-- Whether a restoration was found after this moment. A home that has not reported since was left behind by that one.
select exists (select from restoration r where r.found_at >= $1);

-- name: begin
-- One at a time. Nothing is returned if one is open.
insert into restoration (found_at, found_by, because, backup_at) values (now_ms(), $1, $2, $3)
on conflict do nothing returning id;

-- name: open
-- The restoration that is to be settled.
select id, found_at, found_by, because, backup_at from restoration where settled_at is null;

-- name: queued_page
-- Mail of before the restoration that is still queued. Mail with a later id was accepted since, or is for a time that had not come.
select q.lane, q.id, q.attempt, q.unknown, q.sending, l.class, q.called_at,
       (select s.ses_id from send_event s where s.delivery = q.id order by s.attempt desc limit 1) as ses_id
  from (select r.lane, r.id, r.attempt, false as unknown, r.state = 1 as sending, r.called_at from ready r
         where (r.lane, r.id) > ($1::int, $2::bigint) and r.id < first_id_at($3::bigint)
        union all
        select w.lane, w.id, w.attempt, w.why = 2, false, w.called_at from waiting w
         where (w.lane, w.id) > ($1, $2) and w.id < first_id_at($3)
         order by 1, 2 limit $4) q
  join lane l on l.id = q.lane
 order by q.lane, q.id;

-- name: quarantined
-- Events whose tags prove an attempt that the database does not know.
select id, document from quarantine where why = 'disagreement' and id > $1 order by id limit $2;

-- name: finish
-- Takes deliveries of a backup out of the queue, wherever they are but on the wire.
select f.lane, f.id from queue_finish($1::int[], $2::bigint[], null, 1 | 4 | 8, $3::smallint[], $4::text[], $5::bigint[], $6::text[], $7::text[], 0) f;

-- name: raise_attempts
-- Late events of these calls then find their delivery.
select raise_attempts($1::bigint[], $2::smallint[]);

-- name: count
-- Adds what a step has moved.
update restoration set sent = sent + $2, called = called + $3, dropped = dropped + $4 where id = $1;

-- name: settle
-- The mail that is still queued may leave.
update restoration set settled_at = now_ms(), settled_by = $2, settled_because = $3, kept = $4 where id = $1 and settled_at is null returning id;

-- name: stops
-- The stop of a restoration, as a rule one.
select id from stop where cause = 'restored' and ended_at is null order by id;
