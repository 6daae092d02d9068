-- Storing what SES reports. Every statement takes a whole batch as arrays, sorted by the caller, so that observers lock rows in
-- one order. Ranges of ids stand beside `any` and joins because only they let PostgreSQL skip the partitions of other days. The
-- arrays of hot statements travel as text: the driver's own encoding of an array costs four times as much.

-- name: lanes
-- Lanes by the tenant key and type that our tags carry.
select t.key as tenant_key, y.name as type, l.id as lane, l.tenant, l.class
  from unnest($1::text[], $2::text[]) as x (key, type)
  join tenant t on t.key = x.key
  join message_type y on y.name = x.type
  join lane l on l.tenant = t.id and l.type = y.id;

-- name: configuration_sets
-- Whose a configuration set is, and of which class.
select name, kind, class, tenant from configuration_set where name = any($1::text[]);

-- name: facts
-- One statement, one snapshot: a delivery that moves from the queue to the ledger meanwhile is in one of them, and the outcome is of
-- that moment. If the first attempt was answered, no other can have been reported. The clock and the
-- epoch for which the lanes asked for were right come with it.
select (select now_ms()) as now, (select value from epoch where name = 'control') as epoch,
       x.delivery, m.tenant, m.lane, m.recipient,
       coalesce(l.attempt, r.attempt, w.attempt) as newest_attempt,
       coalesce(l.provider, r.provider, w.provider) as provider,
       l.attempt as ledger_attempt, l.ses_id as ledger_ses_id, l.state as ledger_state, l.called_at,
       path_of(m.path, m.other_path, x.delivery) as path, m.campaign, m.list, s.attempts,
       s.ses_ids, o.*
  from unnest($1::text::bigint[], $2::text::int[]) as x (delivery, lane)
  left join lateral (
      select tenant, lane, recipients[(x.delivery & 63)::int] as recipient, path, other_path, campaign, list from message
       where id = x.delivery & ~63::bigint and id between $3 and $4 limit 1) m on true
  left join lateral (
      select attempt, provider, ses_id, state, called_at from ledger where id = x.delivery and id between $3 and $4 limit 1) l on true
  left join lateral (
      select attempt, provider from ready
       where l.attempt is null and lane = x.lane and id = x.delivery limit 1) r on true
  left join lateral (
      select attempt, provider from waiting
       where l.attempt is null and r.attempt is null and lane = x.lane and id = x.delivery limit 1) w on true
  left join lateral (
      select array_agg(attempt) as attempts, array_agg(ses_id) as ses_ids from send_event
       where (l.ses_id is null or l.attempt <> 1) and delivery = x.delivery and delivery between $3 and $4) s on true
  left join lateral (
      select xmin::text as version, provider as own_provider, left_at, state, at, kinds, attempt, ses_id, reason, detail, reasons, send_at
        from outcome where id = x.delivery and id between $3 and $4 limit 1) o on true;

-- name: by_ses_id
-- For notifications without tags. SES's id has no index; the address has one, and the newest hundred mails to it are enough.
select t.key as tenant_key, y.name as type, l.id as delivery, l.attempt, l.called_at
  from identity i
  join tenant t on t.id = i.tenant
 cross join lateral (
      select id from recipient where tenant = i.tenant and hash = $3 order by id desc limit 100) r
  join ledger l on l.id = r.id and l.ses_id = $1 and l.called_at is not null
  join lane n on n.id = l.lane
  join message_type y on y.id = n.type
 where i.domain = any($2::text[])
 limit 1;

-- name: record
-- Events, and the outcomes of deliveries of which nothing was known. Which of them were new is returned only if some were not,
-- which is rare.
with e as (
    insert into event (delivery, key, tenant, lane, kind, attempt, at, ses_id, detail)
    select x.delivery, x.key, x.tenant, x.lane, x.kind, x.attempt, x.at, x.ses_id, x.detail::jsonb
      from unnest($1::text::bigint[], $2::text::bytea[], $3::text::int[], $4::text::int[], $5::text::smallint[],
                  $6::text::smallint[], $7::text::bigint[], $8::text::text[], $9::text::text[])
           as x (delivery, key, tenant, lane, kind, attempt, at, ses_id, detail)
    on conflict do nothing
    returning delivery, key),
o as (
    insert into outcome (id, tenant, lane, provider, left_at, state, at, kinds, attempt, ses_id, reason, detail, reasons, send_at)
    select * from unnest($10::text::bigint[], $11::text::int[], $12::text::int[], $13::text::smallint[], $14::text::bigint[],
                         $15::text::smallint[], $16::text::bigint[], $17::text::int[], $18::text::smallint[], $19::text::text[],
                         $20::text::text[], $21::text::text[], $22::text::int[], $23::text::bigint[])
    on conflict do nothing
    returning id),
n as (select (select count(*) from e) as events, (select count(*) from o) as outcomes)
select n.events, n.outcomes,
       case when n.events < $24::int then (select array_agg(delivery) from e) end as deliveries,
       case when n.events < $24 then (select array_agg(key) from e) end as keys,
       case when n.outcomes < $25::int then (select array_agg(id) from o) end as ids
  from n;

-- name: lock_deliveries
-- Of deliveries without a ledger row, right before their outcomes are stored.
select id, state, called_at from ledger_locked($1::text::bigint[]);

-- name: lock_outcomes
-- In id order, so that two observers cannot deadlock. Each id is looked up in its own partition: late events are of many days.
select o.* from unnest($1::text::bigint[]) as x (id)
 cross join lateral (
      select id, tenant, lane, provider, left_at, state, at, kinds, attempt, ses_id, reason, detail, reasons, send_at from outcome
       where id = x.id and id between $2 and $3 limit 1 for update) o;

-- name: update_outcomes
-- The outcomes that this batch changed, locked before. An insert that always conflicts finds each row in its own partition by its key;
-- an update would join the rows between the first and the last id with the batch, on a plan that was made when there were few.
insert into outcome as o (id, tenant, lane, provider, left_at, state, at, kinds, attempt, ses_id, reason, detail, reasons, send_at)
select * from unnest($1::text::bigint[], $2::text::int[], $3::text::int[], $4::text::smallint[], $5::text::bigint[],
                     $6::text::smallint[], $7::text::bigint[], $8::text::int[], $9::text::smallint[], $10::text::text[],
                     $11::text::text[], $12::text::text[], $13::text::int[], $14::text::bigint[])
on conflict (id) do update
   set provider = excluded.provider, left_at = excluded.left_at, state = excluded.state, at = excluded.at, kinds = excluded.kinds,
       attempt = excluded.attempt, ses_id = excluded.ses_id, reason = excluded.reason, detail = excluded.detail,
       reasons = excluded.reasons, send_at = excluded.send_at;

-- name: store_at_once
-- A whole batch in one round trip, if its deliveries are still as `facts` read them; else nothing is stored.
select store_events($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25,
                    $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45, $46, $47, $48,
                    $49, $50);

-- name: record_sends
-- Proof that an attempt was sent: settles unknown outcomes.
insert into send_event (delivery, attempt, ses_id, at)
select * from unnest($1::text::bigint[], $2::text::smallint[], $3::text::text[], $4::text::bigint[])
on conflict do nothing;

-- name: record_proof_events
-- Evidence of proofs. Only a batch with an event of a proof's mail asks for it.
insert into proof_event (mail, key, tenant, lane, kind, at, received_at, ses_id, queue, topic, configuration_set, ses_tenant,
                         attributed_lane, problem)
select x.mail, x.key, m.tenant, m.lane, x.kind, x.at, now_ms(), x.ses_id, x.queue, x.topic, x.configuration_set, x.ses_tenant, x.lane,
       x.problem
  from unnest($1::text::bigint[], $2::text::bytea[], $3::text::smallint[], $4::text::bigint[], $5::text::text[], $6::text::text[],
              $7::text::text[], $8::text::text[], $9::text::text[], $10::text::int[], $11::text::text[])
       as x (mail, key, kind, at, ses_id, queue, topic, configuration_set, ses_tenant, lane, problem)
  join proof_mail m on m.id = x.mail
on conflict do nothing;

-- name: suppress
-- The order of observe/suppress.py: the suppression that lasts longest stays, of those one that not-spam feedback does not take back,
-- of those the earliest. A removal, requested or done, stands against older evidence, and is undone by newer.
insert into suppression as s (tenant, hash, scope, target, address, cause, evidence, since, until, by)
select x.tenant, x.hash, x.scope, x.target, case when f.hash is null then x.address else 'erased' end, x.cause,
       case when f.hash is null then x.evidence::jsonb else '{}' end, x.since, x.until, x.by
  from unnest($1::text::int[], $2::text::bytea[], $3::text::smallint[], $4::text::int[], $5::text::text[], $6::text::text[], $7::text::text[], $8::text::bigint[],
              $9::text::bigint[], $10::text::text[]) as x (tenant, hash, scope, target, address, cause, evidence, since, until, by)
  left join forgotten_address f on f.tenant = x.tenant and f.hash = x.hash
 where x.since > coalesce((select r.at from suppression_removal r
                            where (r.tenant, r.hash, r.scope, r.target) = (x.tenant, x.hash, x.scope, x.target)), -1)
on conflict (tenant, hash, scope, target) do update
   set address = excluded.address, cause = excluded.cause, evidence = excluded.evidence, since = excluded.since,
       until = excluded.until, by = excluded.by, removing_since = null, removal_waits = null, removal_next_at = null
 where excluded.since > s.removing_since
    or s.removing_since is null and
       (coalesce(excluded.until, 9223372036854775807),
        excluded.cause not in ('complaint', 'ses-tenant-complaint', 'ses-account-complaint'), -excluded.since,
        excluded.cause collate "C", coalesce(excluded.evidence ->> 'event', '') collate "C")
     > (coalesce(s.until, 9223372036854775807),
        s.cause not in ('complaint', 'ses-tenant-complaint', 'ses-account-complaint'), -s.since, s.cause collate "C",
        coalesce(s.evidence ->> 'event', '') collate "C");

-- name: lock_quarantine_kinds
-- Held until the commit: what a kind may still take is decided by one observer after the other.
select why, greatest(0, most_entries - entries)::int as room_entries, greatest(0, most_bytes - bytes) as room_bytes,
       (to_timestamp(now_ms() / 1000.0) at time zone 'UTC')::date as today
  from quarantine_kind where why = any ($1::text[]) order by why for update;

-- name: add_quarantine_kinds
-- A kind that the migrations do not know gets the usual bounds.
insert into quarantine_kind (why) select unnest($1::text[]) on conflict do nothing;

-- name: quarantined_before
-- Entries that are there, with their documents if they are about many mails and may take another sample.
select id, digest, case when why = 'ungoverned' and cardinality(samples) < $2::int - 1 then array[document] || samples else '{}' end as documents,
       case when why = 'ungoverned' then greatest(0, $2 - 1 - cardinality(samples)) else 0 end as takes
  from quarantine where digest = any ($1::bytea[]);

-- name: quarantine
-- New entries. Copies of a document are counted, not stored again: another kind may have it.
insert into quarantine as q (digest, why, detail, document, samples, bytes, source, tenant, copies)
select x.digest, x.why, x.detail, x.document, array(select jsonb_array_elements_text(x.samples::jsonb)), x.bytes, x.source, x.tenant, x.copies
  from unnest($1::text::bytea[], $2::text::text[], $3::text::text[], $4::text::text[], $5::text::text[], $6::text::int[], $7::text::text[],
              $8::text::int[], $9::text::int[]) as x (digest, why, detail, document, samples, bytes, source, tenant, copies)
on conflict (digest) do update set copies = q.copies + excluded.copies, last_received_at = now();

-- name: quarantine_again
-- More documents for entries that are there.
update quarantine q
   set copies = q.copies + x.copies, last_received_at = now(), bytes = q.bytes + x.bytes,
       samples = q.samples || array(select jsonb_array_elements_text(x.samples::jsonb))
  from unnest($1::text::bigint[], $2::text::int[], $3::text::text[], $4::text::int[]) as x (id, copies, samples, bytes)
 where q.id = x.id;

-- name: count_quarantine
-- Locked before. What was counted and not kept is never silent: `status` shows it for a day.
update quarantine_kind k
   set entries = k.entries + x.entries, bytes = k.bytes + x.bytes, documents = k.documents + x.documents, not_kept = k.not_kept + x.not_kept,
       not_kept_at = case when x.not_kept > 0 then now_ms() else k.not_kept_at end
  from unnest($1::text::text[], $2::text::bigint[], $3::text::bigint[], $4::text::bigint[], $5::text::bigint[])
       as x (why, entries, bytes, documents, not_kept)
 where k.why = x.why;

-- name: keep_notices
-- Copies of a notice are counted, not stored again. At most $6 notices are kept; returns how many documents were not.
with x as (
    select x.*, n.digest is not null as there, row_number() over (partition by n.digest is null order by x.digest) as place
      from unnest($1::text::bytea[], $2::text::text[], $3::text::text[], $4::text::text[], $5::text::int[])
           as x (digest, what, subject, document, copies)
      left join ses_notice n on n.digest = x.digest
), room as (
    select $6::int - count(*) as entries from ses_notice
), kept as (
    insert into ses_notice as n (digest, what, subject, document, copies)
    select x.digest, x.what, x.subject, x.document, x.copies from x, room where x.there or x.place <= room.entries
    on conflict (digest) do update set copies = n.copies + excluded.copies, last_received_at = now()
)
select coalesce(sum(x.copies), 0)::int from x, room where not x.there and x.place > room.entries;

-- name: count_notices_not_kept
-- Shown with what quarantine did not keep.
insert into quarantine_kind as k (why, most_entries, most_bytes, entries, documents, not_kept, not_kept_at)
select 'notice', $2::int, $3::bigint, (select count(*) from ses_notice), $1::int, $1, now_ms()
on conflict (why) do update set entries = excluded.entries, documents = k.documents + excluded.documents,
                                not_kept = k.not_kept + excluded.not_kept, not_kept_at = excluded.not_kept_at;

-- name: count_elsewhere
-- Events of other installations in this AWS account, by day. The name is the sender's: beyond $4 in a day, the others are counted
-- together.
with x as (
    select x.*, y.there, t.today, dense_rank() over (partition by y.there order by x.installation) as place
      from unnest($1::text::text[], $2::text::smallint[], $3::text::bigint[]) as x (installation, kind, documents)
     cross join (select (to_timestamp(now_ms() / 1000.0) at time zone 'UTC')::date) t (today)
     cross join lateral (select exists (select from elsewhere e where e.installation = x.installation and e.day = t.today)) y (there)
), room as (
    select $4::int - count(distinct e.installation) as names from elsewhere e where e.day = (select x.today from x limit 1)
)
insert into elsewhere as e (installation, day, kind, documents)
select case when x.there or x.place <= room.names then x.installation else '*' end, x.today, x.kind, sum(x.documents)
  from x, room group by 1, 2, 3 order by 1, 2, 3
on conflict (installation, day, kind) do update set documents = e.documents + excluded.documents;

-- name: add_counts
-- Appends changes of cohorts and times of delivery, and raises the latest call for which each set showed a Send event: the rows that
-- all observers share.
with counted as (
    insert into cohort_batch (tenants, lanes, minutes, paths, campaigns, lists, providers, domains, counts)
    select $1::text::int[], $2::text::int[], $3::text::int[], $4::text::text[], $5::text::text[], $6::text::text[],
           $7::text::smallint[], $8::text::text[], $9::text::text[]
     where $1::text <> '{}'
), timed as (
    insert into delivery_time_batch (tenants, lanes, minutes, providers, paths, counts)
    select $12::text::int[], $13::text::int[], $14::text::int[], $15::text::smallint[], $16::text::text[], $17::text::text[]
     where $12::text <> '{}')
insert into send_seen as s (configuration_set, called_at)
select * from unnest($10::text::text[], $11::text::bigint[])
on conflict (configuration_set) do update set called_at = excluded.called_at where s.called_at < excluded.called_at;

-- name: unproved
-- Configuration sets that have shown the Send event of a call late enough to prove an absence, if nothing older is left in the
-- queue. Asked every second; with no unknown outcome it reads one index page. Times ahead of the clock are from before it was set back.
with u as (
    select lane, configuration_set, min(called_at) as first, max(called_at) as last from waiting where why = 2
     group by lane, configuration_set
)
select distinct s.configuration_set, s.called_at
  from u join lane l on l.id = u.lane
 cross join lateral call_sets(u.configuration_set, u.lane, u.first) c (name)
  join send_seen s on s.configuration_set = c.name
 where s.called_at >= u.first + l.grace_ms and s.proved_called_at < u.last + l.grace_ms and s.called_at <= now_ms() + 1000;

-- name: prove
-- In the order of `add_counts`, which locks the same rows.
with locked as (
    select s.configuration_set, x.called_at from unnest($1::text::text[], $2::text::bigint[]) x (configuration_set, called_at)
      join send_seen s on s.configuration_set = x.configuration_set and x.called_at <= now_ms() + 1000
     order by s.configuration_set for update of s
)
update send_seen s set proved_called_at = greatest(s.proved_called_at, l.called_at) from locked l
 where s.configuration_set = l.configuration_set;

-- name: report_observer
-- Ages in ms. Reports of the last day are returned; older ones are deleted. A report from the future is from before the clock was set
-- back: its observer may be dead. It counts as made now, and everything before as uncertain.
with old as (
    delete from observer where beat < now_ms() - 86400000
), ahead as (
    update observer set beat = now_ms(), live_since = now_ms() where queue = $1 and id <> $2 and beat > now_ms() + 1000
), own as (
    insert into observer as o (queue, id, beat, live_since, stored_before, ended)
    values ($1, $2, now_ms(), now_ms() - $3::bigint, now_ms() - $4::bigint, $5)
    on conflict (queue, id) do update set beat = excluded.beat, live_since = excluded.live_since, stored_before = excluded.stored_before,
                                          ended = excluded.ended
)
select now_ms() - beat as beat, now_ms() - live_since as live_since, now_ms() - stored_before as stored_before, ended
  from observer where queue = $1 and id <> $2 and beat >= now_ms() - 86400000;

-- name: lock_quarantined
-- Locked, so that two replays of one entry follow each other.
select why, document from quarantine where id = $1 for update;

-- name: resolve
-- How a replay ended. An entry about many mails is not settled by its first one.
update quarantine
   set replayed_at = now(), resolution = $2,
       resolved_at = case when $3::boolean and (why <> 'ungoverned' or copies = 1) then now() end
 where id = $1 returning tenant, why;

-- name: webhook_subscriptions
-- Which endpoints get which events. Read when control has changed something: a batch costs nothing more while there is none.
select id, tenant, form, events from webhook_endpoint where removed_at is null order by id;

-- name: tell_webhooks
-- The outbox of endpoints, in the transaction of the events.
insert into webhook_message (endpoint, event, tenant, delivery, key, made_at, due_at)
select x.endpoint, x.event, x.tenant, x.delivery, x.key, n.now, n.now
  from unnest($1::text::int[], $2::text::text[], $3::text::int[], $4::text::bigint[], $5::text::bytea[])
       as x (endpoint, event, tenant, delivery, key)
 cross join (select now_ms() as now) n;

-- name: keep_documents
-- SES's own JSON, for endpoints that get it.
insert into webhook_document (delivery, key, made_at, document)
select x.delivery, x.key, now_ms(), x.document from unnest($1::text::bigint[], $2::text::bytea[], $3::text::text[]) as x (delivery, key, document)
on conflict do nothing;
