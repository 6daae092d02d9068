-- The mails of proofs, as a dispatcher sees them. Nobody asks for a proof most of the time: then `asked` reads an empty index.

-- name: asked
-- Mails that are to be sent, the oldest first.
select id, lane, what from proof_mail where state = 'asked' order by id limit $1;

-- name: begin
-- The intent, with what the mail is sent with. Nothing if another dispatcher was first, the proof has ended, or the lane is held: what
-- dispatchers know of holds may be a second old.
update proof_mail m
   set state = 'calling', called_at = now_ms(), ses_tenant = $2, domain = $3, configuration_set = $4
 where m.id = $1 and m.state = 'asked'
   and exists (select from proof p join lane l on l.id = p.lane
                where p.id = m.proof and p.ended_at is null and not l.held and not l.stopped and l.retiring_at is null)
returning m.called_at;

-- name: put_back
-- SES has certainly not got it.
update proof_mail set state = 'asked', called_at = null, said = coalesce($2, said) where id = $1 and state = 'calling';

-- name: answered
-- What SES answered to the call.
update proof_mail set state = $2, answered_at = now_ms(), ses_id = $3, said = $4 where id = $1 and state = 'calling';
