-- What became of claimed deliveries.

-- name: finish
-- Moves deliveries from the queue to the ledger. The fence is (state, attempt). If another worker has meanwhile declared this
-- worker dead and the outcome unknown, the answer still settles it: from sending (2) or unknown (8).
select count(*) from queue_finish($1::int[], $2::bigint[], $3::smallint[], 2 | 8, $4::smallint[], $5::text[], $6::bigint[],
                                  $7::text[], $8::text[], $9::int);

-- name: finish_sent
-- As `queue_finish`, for what SES accepted at the first attempt: nearly all mail, and therefore with as few arguments as possible. It
-- is counted as sent without a look at its outcome: the only call that this can be about is its own (docs/decisions/032). What is not
-- `sending` any more is left to `finish`: the answer says how many were.
--
-- Each row is looked up by its key, and deleted where it was found. A join of the queue with the batch is planned while the queue is empty,
-- and then reads all of it for each batch (docs/decisions/113).
with u as materialized (
    select u.*, (select r.ctid from ready r where r.lane = u.lane and r.id = u.id) as row
      from unnest($1::int[], $2::bigint[], $3::smallint[], $4::text[], $5::bigint[], $6::int[], $9::text[], $10::text[])
           u (lane, id, attempt, ses_id, called_at, bytes, path, domain)
), gone as (
    delete from ready r using u where r.ctid = u.row and r.state = 1 and r.attempt = u.attempt
    returning r.lane, r.id, r.tenant, r.provider, r.attempt, r.campaign, r.list, u.ses_id, u.called_at, u.bytes, u.path, u.domain
), g as (
    insert into ledger (id, tenant, lane, state, attempt, provider, ses_id, called_at, at, reason, detail)
    select id, tenant, lane, 20, attempt, provider, ses_id, called_at, now_ms(), 'sent', {{accepted_by_ses}} from gone
), f as (
    insert into lane_finished as z (lane, node, deliveries, bytes)
    select lane, $7::int, count(*), sum(bytes) from gone group by lane order by lane
    on conflict (lane, node) do update set deliveries = z.deliveries + excluded.deliveries, bytes = z.bytes + excluded.bytes
), c as (
    -- The next fold sums them: to group them here costs more.
    insert into cohort_batch (tenants, lanes, minutes, paths, campaigns, lists, providers, domains, counts, hurry)
    select array_agg(tenant), array_agg(lane), array_agg((called_at / 60000)::int), array_agg(path), array_agg(campaign), array_agg(list),
           array_agg(provider), array_agg(domain), array_fill('{1}'::text, array[count(*)::int]), false
      from gone
    having count(*) > 0
)
-- The count is taken first, so that the deliveries have left when the content is looked at.
select x.n, case when $8::boolean and x.n > 0 then queue_forget($1::int[], $2::bigint[]) end from (select count(*) as n from gone) x;

-- name: defer
-- Moves claimed deliveries to `waiting`.
select queue_defer($1::int[], $2::bigint[], $3::smallint[], $4::bigint[], $5::smallint[], $6::bigint[], $7::bigint[], $8::text[],
                   $9::text[], $10::text[]);

-- name: requeue
-- SES certainly did not take it: back to the head of its lane, and the attempt does not count.
select queue_requeue($1::int[], $2::bigint[], $3::smallint[], $4::bigint[]);

-- name: add_notes
-- Entries in the history of deliveries.
insert into note (id, tenant, at, what, attempt, detail)
select id, tenant, now_ms(), what, attempt, detail from unnest($1::bigint[], $2::int[], $3::text[], $4::smallint[], $5::text[])
  u (id, tenant, what, attempt, detail);

-- name: return_reserve
-- Calls inside the reserve that were not made. In the order of `use_reserve`.
with locked as (
    select u.cell, u.tenant, u.hour, x.calls from unnest($1::text[], $2::int[], $3::int[], $4::int[]) x (cell, tenant, hour, calls)
      join reserve_use u on u.cell = x.cell and u.tenant = x.tenant and u.hour = x.hour order by u.tenant, u.hour for update of u
)
update reserve_use u set calls = greatest(0, u.calls - l.calls) from locked l
 where u.cell = l.cell and u.tenant = l.tenant and u.hour = l.hour;

-- name: lock_uses
-- In the order of `uncount`, for several of them.
select from limit_use x where x.id = any ($1::int[]) order by (x.lane is null and x.class is null) desc, x.id for no key update;

-- name: uncount
-- Calls that were counted in limits and certainly not made, in the windows of $3, the time of the call. A window that has passed keeps what it
-- counted. Rows that several turns share come first, as a claim locks them; then the others; both in the order of their ids.
with locked as (
    select x.id, u.n from unnest($1::int[], $2::int[]) u (use, n) join limit_use x on x.id = u.use
     order by (x.lane is null and x.class is null) desc, x.id for no key update of x
)
update limit_use x
   set in_minute = case when x.minute = ($3::bigint / 60000)::int then greatest(0, x.in_minute - l.n) else x.in_minute end,
       in_hour = case when x.hour = ($3 / 3600000)::int then greatest(0, x.in_hour - l.n) else x.in_hour end,
       in_day = case when x.day = ($3 / 86400000)::int then greatest(0, x.in_day - l.n) else x.in_day end,
       ever = greatest(0, x.ever - l.n)
  from locked l where x.id = l.id;

-- name: uncount_addresses
-- As `uncount`, after it.
with locked as (
    select x.lane, x.hash, u.n from unnest($1::int[], $2::bytea[], $3::int[]) u (lane, hash, n)
      join recipient_use x on x.lane = u.lane and x.hash = u.hash order by x.lane, x.hash for no key update of x
)
update recipient_use x
   set in_minute = case when x.minute = ($4::bigint / 60000)::int then greatest(0, x.in_minute - l.n) else x.in_minute end,
       in_hour = case when x.hour = ($4 / 3600000)::int then greatest(0, x.in_hour - l.n) else x.in_hour end,
       in_day = case when x.day = ($4 / 86400000)::int then greatest(0, x.in_day - l.n) else x.in_day end
  from locked l where x.lane = l.lane and x.hash = l.hash;
