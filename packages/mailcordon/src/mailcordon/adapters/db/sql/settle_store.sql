-- Settling unknown outcomes and moving what waited. Statements that move deliveries have the arguments of isolating.py.

-- name: lock_if_anything_waits
-- Usually nothing waits, and then no lock is taken. False as well if another dispatcher holds the lock.
select case when exists (select from waiting) then pg_try_advisory_lock($1, $2) else false end;

-- name: settle_by_send_event
-- The Send event that carries our attempt's tag proves that SES took it.
with p as materialized (
    select w.lane, w.id, w.tenant, w.attempt, s.ses_id from waiting w join send_event s on s.delivery = w.id and s.attempt = w.attempt
     where w.why = 2 and ($2::bigint[] is null or w.id = any ($2)) and w.id <> all ($3::bigint[]) order by w.lane, w.id limit $1
), gone as materialized (
    select f.lane, f.id
      from (select array_agg(lane) as lanes, array_agg(id) as ids, array_agg(attempt) as attempts, array_agg(20::smallint) as states,
                   array_agg(ses_id) as ses_ids, array_agg('sent'::text) as reasons, array_agg({{proved_sent}}::text) as details
              from p) a
     cross join lateral queue_finish(a.lanes, a.ids, a.attempts, 8, a.states, a.ses_ids, null, a.reasons, a.details, 0) f
), n as (
    insert into note (id, tenant, at, what, attempt, detail)
    select id, p.tenant, now_ms(), 'proved-sent', p.attempt, {{send_event_arrived}} from gone join p using (lane, id)
)
select lane, id from gone;

-- name: settle_by_absence
-- Absence is proved if a Send event of the same configuration set, for a call made at least the lane's grace later, is stored, and so
-- is all that was in the queue before it (docs/decisions/017). A call that may have used several sets needs the proof in each. A proof
-- ahead of the clock is from before the clock was set back, and says nothing of a call made since. Nor does any in a restored
-- database, whose events may have been stored before the restore.
with p as materialized (
    select w.lane, w.id, w.tenant, w.attempt, w.called_at, l.resend, s.seen
      from waiting w join lane l on l.id = w.lane
     cross join lateral (
          select min(case when s.proved_called_at <= now_ms() + 1000 then s.proved_called_at else 0 end) as seen
            from call_sets(w.configuration_set, w.lane, w.called_at) c (name)
            left join send_seen s on s.configuration_set = c.name) s
     where w.why = 2 and w.called_at + l.grace_ms <= (select max(proved_called_at) from send_seen)
       and s.seen >= w.called_at + l.grace_ms and now_ms() >= w.called_at + l.grace_ms
       and not exists (select from send_event e where e.delivery = w.id and e.attempt = w.attempt)
       and not exists (select from restoration r where r.settled_at is null)
       and w.id >= first_id_at(now_ms() - l.expiry_ms)
       and ($2::bigint[] is null or w.id = any ($2)) and w.id <> all ($3::bigint[])
     order by w.lane, w.id limit $1 for update of w
), n as (
    insert into note (id, tenant, at, what, attempt, detail)
    select id, tenant, now_ms(), case when resend then 'resend' else 'given-up' end, attempt,
           format({{proved_absent %s}}, (seen - called_at) / 1000) from p
), again as (
    select queue_ready(array_agg(lane), array_agg(id), true, array_agg(attempt)) as n from p where resend
), gone as (
    select count(*) as n
      from (select array_agg(lane) as lanes, array_agg(id) as ids, array_agg(attempt) as attempts, array_agg(13::smallint) as states,
                   array_agg('given-up'::text) as reasons, array_agg({{given_up}}::text) as details from p where not resend) a
     cross join lateral queue_finish(a.lanes, a.ids, a.attempts, 8, a.states, null, null, a.reasons, a.details, 0)
)
select (select n from again) as resent, (select n from gone) as given_up;

-- name: canary_needs
-- Unknown outcomes past their grace period whose configuration set has shown nothing since: only a canary can settle them. None over
-- a lane that is held or stopped: its mail may not leave, so nothing is gained by a proof, and a hold stops canaries too. With the
-- SES tenant and domain that the set had on the route of the call, if that has changed since.
select distinct on (c.name) c.name as configuration_set, w.lane, w.id, w.tenant, w.attempt, w.called_at,
       coalesce(s.called_at, 0) as seen, b.ses_tenant, b.domain
  from waiting w join lane l on l.id = w.lane
 cross join lateral call_sets(w.configuration_set, w.lane, w.called_at) c (name)
  left join send_seen s on s.configuration_set = c.name
  left join lateral (
      select b.ses_tenant, b.domain from route_before b
       where b.lane = w.lane and b.configuration_set = c.name and b.until > w.called_at - 10000 order by b.until limit 1) b on true
 where w.why = 2 and not l.held and not l.stopped and now_ms() >= w.called_at + l.grace_ms
   and coalesce(s.called_at, 0) < w.called_at + l.grace_ms
 order by c.name, w.called_at desc;

-- name: expire_waiting
-- Ends what waited past its expiry. An unknown outcome ends as "no outcome reported", and raises an alarm. Goes lane by lane,
-- from the head of each: a million deferred mails cost no more to check than one.
with recursive lanes as (
    (select w.lane from waiting w order by w.lane limit 1)
    union all
    select (select w.lane from waiting w where w.lane > s.lane order by w.lane limit 1) from lanes s where s.lane is not null
), p as materialized (
    select x.lane, x.id, x.attempt, x.why, x.reason from lanes s join lane l on l.id = s.lane
     cross join lateral (select w.lane, w.id, w.attempt, w.why, w.reason from waiting w
                          where w.lane = s.lane and w.id < first_id_at(now_ms() - l.expiry_ms)
                            and ($2::bigint[] is null or w.id = any ($2)) and w.id <> all ($3::bigint[]) order by w.id limit $1) x
     order by x.lane, x.id limit $1
), gone as materialized (
    select f.lane, f.id
      from (select array_agg(lane) as lanes, array_agg(id) as ids, array_agg(attempt) as attempts,
                   array_agg(case why when 2 then 28 else 11 end::smallint) as states,
                   array_agg(case why when 2 then 'no-outcome' else 'expired' end) as reasons,
                   array_agg(case why when 2 then {{no_outcome_reported}} else format({{expired_while_waiting %s}}, reason) end) as details
              from p) a
     cross join lateral queue_finish(a.lanes, a.ids, a.attempts, 4 | 8, a.states, null, null, a.reasons, a.details, 0) f
)
select lane, id, p.why from gone join p using (lane, id);

-- name: due_waiting
-- Retries that are due, and mail whose time has come. What waits for a limit is given back as the limit has room (limit_clearing.sql).
select queue_ready(array_agg(x.lane), array_agg(x.id)) as released
  from (select w.lane, w.id from waiting w where w.why in (1, 4) and w.until <= now_ms()
           and ($2::bigint[] is null or w.id = any ($2)) and w.id <> all ($3::bigint[]) order by w.why, w.until limit $1) x;

-- name: waiting_page
-- The rows that the statements above choose from.
select lane, id from waiting where (lane, id) > ($1::int, $2::bigint) order by lane, id limit $3;
