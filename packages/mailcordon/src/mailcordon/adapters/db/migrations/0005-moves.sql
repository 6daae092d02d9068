-- The moves of a delivery (send/moves.py, docs/decisions/018). A delivery is in exactly one of `ready`, `waiting` and `ledger`. Only
-- these functions, and the statements of the hot path `accept`, `claim` and `finish_sent`, move it; each function takes whole
-- batches and locks rows in (lane, id) order.
--
-- The functions run with the caller's rights. They plan once, with index lookups only: their tables are empty one minute and full
-- the next (docs/decisions/003). Rows are counted where they leave, so that taken in - finished = queued holds per lane.

-- Why a delivery waits, for programs (core.reason), beside `reason`, the sentence.
alter table waiting add column code text;
-- Of the call whose outcome is unknown: the lane's route may change before it is settled.
alter table waiting add column configuration_set text;

-- Mail that no hold would release waited for its expiry. The next round of settling moves it.
update waiting set why = 1, until = now_ms(), hold = null where why = 3 and hold is null;
update waiting set code = case why when 1 then 'retry' when 2 then 'outcome-unknown' when 3 then 'held' when 4 then 'scheduled'
                                   else 'provider-cap' end;
alter table waiting alter column code set not null;
update ready set worker = null, called_at = null where state = 0 and worker is not null;

-- How deliveries left that SES did not take; the others of `deliveries` are sent. Metrics begin with them.
alter table lane_finished add column refused bigint not null default 0, add column expired bigint not null default 0,
    add column cancelled bigint not null default 0, add column given_up bigint not null default 0,
    add column rejected bigint not null default 0, add column no_outcome bigint not null default 0;

alter table ready add constraint ready_state check (state in (0, 1)),
    add constraint ready_sending check (state = 0 or worker is not null and called_at is not null),
    add constraint ready_attempt check (attempt >= state);
alter table waiting add constraint waiting_why check (why in (1, 2, 3, 4, 5)),
    add constraint waiting_unknown check (why <> 2 or called_at is not null and attempt > 0),
    add constraint waiting_held check (why <> 3 or hold is not null),
    add constraint waiting_code check (code ~ '^[a-z][a-z-]{0,40}$');
alter table ledger add constraint ledger_state check (state in (10, 11, 12, 13, 14, 20, 28));
alter table outcome add constraint outcome_state check (state between 20 and 28);
alter table event add constraint event_kind check (kind between 0 and 11);
alter table send_event add constraint send_event_attempt check (attempt > 0);

-- Questions that several statements ask ----------------------------------------------------------------------------------------

create function hold_covers(one hold, of_tenant int, of_class smallint, of_lane int) returns boolean language sql immutable
    -- Whether a hold is about this lane; a narrow one is about a part of its mail. As core.hold.Hold.covers_lane.
    return one.tenant = of_tenant and (one.class is null or one.class = of_class) and (one.lane is null or one.lane = of_lane);

create function hold_is_narrow(one hold) returns boolean language sql immutable
    -- Whether a hold is about one mailbox provider, campaign or list only: it does not stop the lane. As core.hold.Hold.narrow.
    return one.provider is not null or one.campaign is not null or one.list is not null;

create function suppressed_for(of_tenant int, of_hash bytea, of_class smallint, of_lane int, at bigint) returns boolean
language plpgsql stable as $$
begin
    -- Scopes: 0 the tenant, 1 its class, 2 the lane; besides, the platform's own list. `accept` and `claim` ask the same inline.
    return exists (select from suppression s where s.tenant = of_tenant and s.hash = of_hash
                      and (s.scope = 0 or s.scope = 1 and s.target = of_class or s.scope = 2 and s.target = of_lane)
                      and (s.until is null or s.until > at))
        or exists (select from platform_suppression p where p.hash = of_hash);
end $$;

create function write_audit(actor text, action text, tenant int, object text, before jsonb, after jsonb, because text) returns void
language plpgsql as $$
begin
    insert into audit (actor, action, tenant, object, before, after, because)
    values (write_audit.actor, write_audit.action, write_audit.tenant, write_audit.object, write_audit.before, write_audit.after,
            write_audit.because);
end $$;

-- Moves ---------------------------------------------------------------------------------------------------------------------

-- Deletes the content of urgent mail if no delivery of its message is queued any more. `lanes` and `ids` are of deliveries that
-- left the queue in this transaction. When the last two deliveries leave at the same time, each transaction still sees the other's:
-- the lock on the content makes one wait for the other, and the second look sees that it has left.
create function queue_forget(lanes int[], ids bigint[]) returns void language plpgsql
set search_path from current set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off as $$
declare
    of_lanes int[];
    messages bigint[];
    gone int;
begin
    select array_agg(x.lane order by x.message), array_agg(x.message order by x.message) into of_lanes, messages
      from (select distinct u.lane, u.id & -64 as message from unnest(lanes, ids) u (lane, id)
             where u.lane = any (array(select l.id from lane l where l.id = any (lanes) and l.class = 0))) x;
    if messages is null then
        return;
    end if;
    for look in 1 .. 2 loop
        delete from urgent_content c using unnest(of_lanes, messages) u (lane, id)
         where c.id = u.id
           and not exists (select from ready r where r.lane = u.lane and r.id > u.id and r.id < u.id + 64)
           and not exists (select from waiting w where w.lane = u.lane and w.id > u.id and w.id < u.id + 64);
        get diagnostics gone = row_count;
        exit when look = 2 or gone = cardinality(messages);
        perform from (select c.id from urgent_content c where c.id = any (messages) order by c.id for update) locked;
        exit when not found;
    end loop;
end $$;

-- Finishes deliveries: takes each from where it is and writes the ledger, the lane's count and, for urgent mail, the end of its
-- content. Returns those that were there to be finished.
--   places     from where: 1 ready, 2 sending, 4 waiting (retry, hold, schedule, cap), 8 outcome unknown; added up
--   attempts   the attempt that the caller speaks of; null, or a null element: whichever it is
--   called_ats when SES was called; null: as the queue's row says, if the delivery was called
--   node       whose count: 0 for all that is no dispatcher, -worker for a dispatcher
-- A delivery that moves between `ready` and `waiting` while we wait for its row is in neither as of the first look, hence a second.
create function queue_finish(lanes int[], ids bigint[], attempts smallint[], places int, states smallint[], ses_ids text[],
                             called_ats bigint[], reasons text[], details text[], node int)
returns table (lane int, id bigint) language plpgsql
set search_path from current set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off as $$
#variable_conflict use_column
declare
    low bigint;
    high bigint;
    of_lanes int[] := '{}';
    of_ids bigint[] := '{}';
    more_lanes int[];
    more_ids bigint[];
begin
    if ids is null then
        return;
    end if;
    select min(x) & -64, max(x) & -64 into low, high from unnest(ids) x;
    for look in 1 .. 2 loop
        with u as materialized (
            select * from unnest(lanes, ids, attempts, states, ses_ids, called_ats, reasons, details)
                       u (lane, id, attempt, state, ses_id, called_at, reason, detail)
             order by u.lane, u.id
        ), d as (
            delete from ready r using u
             where r.lane = u.lane and r.id = u.id and places & (1 << r.state) <> 0 and r.attempt = coalesce(u.attempt, r.attempt)
            returning r.lane, r.id, r.tenant, r.provider, r.attempt, u.state, u.ses_id,
                      coalesce(u.called_at, case r.state when 1 then r.called_at end) as called_at, u.reason, u.detail
        ), w as (
            delete from waiting r using u
             where r.lane = u.lane and r.id = u.id and places & (case r.why when 2 then 8 else 4 end) <> 0
               and r.attempt = coalesce(u.attempt, r.attempt)
            returning r.lane, r.id, r.tenant, r.provider, r.attempt, u.state, u.ses_id, coalesce(u.called_at, r.called_at) as called_at,
                      u.reason, u.detail
        ), gone as (
            select * from d union all select * from w
        ), g as (
            insert into ledger (id, tenant, lane, state, attempt, provider, ses_id, called_at, at, reason, detail)
            select id, tenant, lane, state, attempt, provider, ses_id, called_at, now_ms(), reason, detail from gone
        ), f as (
            insert into lane_finished as z (lane, node, deliveries, bytes, refused, expired, cancelled, given_up, rejected, no_outcome)
            select x.lane, queue_finish.node, count(*),
                   coalesce(sum((select m.bytes from message m where m.id = (x.id & -64) and m.id between low and high)), 0),
                   count(*) filter (where x.state = 10), count(*) filter (where x.state = 11), count(*) filter (where x.state = 12),
                   count(*) filter (where x.state = 13), count(*) filter (where x.state = 14), count(*) filter (where x.state = 28)
              from gone x group by x.lane order by x.lane
            on conflict (lane, node) do update
            set deliveries = z.deliveries + excluded.deliveries, bytes = z.bytes + excluded.bytes, refused = z.refused + excluded.refused,
                expired = z.expired + excluded.expired, cancelled = z.cancelled + excluded.cancelled,
                given_up = z.given_up + excluded.given_up, rejected = z.rejected + excluded.rejected,
                no_outcome = z.no_outcome + excluded.no_outcome
        )
        select array_agg(x.lane order by x.lane, x.id), array_agg(x.id order by x.lane, x.id) into more_lanes, more_ids from gone x;
        if more_ids is not null then
            of_lanes := of_lanes || more_lanes;
            of_ids := of_ids || more_ids;
        end if;
        exit when places & 3 = 0 or places & 12 = 0 or cardinality(of_ids) >= cardinality(ids);
    end loop;
    if of_ids <> '{}' then
        perform queue_forget(of_lanes, of_ids);
    end if;
    return query select * from unnest(of_lanes, of_ids);
end $$;

-- Defers deliveries to `waiting`: sending, or ready too if `places` says so (as in queue_finish). Returns how many.
--   called_ats fences what is sending, beside the attempt: requeueing and deferring for a hold give an attempt's number back, so a
--              record that is repeated must not touch a delivery that was claimed again. Null element: whichever it is.
--   whys       send.moves.Why. What a hold defers was not called, and its attempt does not count.
--   configuration_sets of the call, if its outcome is unknown; null: that of the lane's route now
create function queue_defer(lanes int[], ids bigint[], attempts smallint[], called_ats bigint[], whys smallint[], untils bigint[],
                            holds bigint[], reasons text[], codes text[], configuration_sets text[] default null,
                            places int default 2)
returns int language plpgsql
set search_path from current set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off as $$
declare
    deferred int;
begin
    if ids is null then
        return 0;
    end if;
    with u as materialized (
        select * from unnest(lanes, ids, attempts, called_ats, whys, untils, holds, reasons, codes, configuration_sets)
                   u (lane, id, attempt, called_at, why, until, hold, reason, code, configuration_set)
         order by u.lane, u.id
    ), d as (
        delete from ready r using u
         where r.lane = u.lane and r.id = u.id and places & (1 << r.state) <> 0 and r.attempt = coalesce(u.attempt, r.attempt)
           and (r.state = 0 or r.called_at = coalesce(u.called_at, r.called_at))
        returning r.lane, r.id, r.tenant, r.state, r.attempt, r.provider, r.called_at, r.hash, r.campaign, r.list,
                  u.why, u.until, u.hold, u.reason, u.code, u.configuration_set
    ), w as (
        insert into waiting (lane, id, tenant, why, until, attempt, provider, called_at, hash, campaign, list, hold, reason, code,
                             configuration_set, since)
        select d.lane, d.id, d.tenant, d.why, d.until, case d.why when 3 then d.attempt - d.state else d.attempt end, d.provider,
               case when d.state = 1 and d.why <> 3 then d.called_at end, d.hash, d.campaign, d.list, d.hold, d.reason, d.code,
               case d.why when 2 then coalesce(d.configuration_set, (
                   select r.configuration_set from route r
                    where r.lane = d.lane and r.path = (select m.path from message m where m.id = (d.id & -64)))) end,
               now_ms()
          from d
    )
    select count(*) into deferred from d;
    return deferred;
end $$;

-- Makes waiting deliveries ready, and wakes their turns. Returns how many. `unknown`: those whose outcome is unknown instead,
-- since SES certainly does not have them: the only way to a second call.
-- The transaction's id first: whatever fills `ready` takes it before it reads turns (docs/decisions/003).
create function queue_ready(lanes int[], ids bigint[], unknown boolean default false, attempts smallint[] default null)
returns int language plpgsql
set search_path from current set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off as $$
declare
    made int;
    of_lanes int[];
begin
    if ids is null then
        return 0;
    end if;
    perform pg_current_xact_id();
    with u as materialized (
        select * from unnest(lanes, ids, attempts) u (lane, id, attempt) order by u.lane, u.id
    ), d as (
        delete from waiting w using u
         where w.lane = u.lane and w.id = u.id and unknown = (w.why + 0 = 2) and w.attempt = coalesce(u.attempt, w.attempt)
        returning w.lane, w.id, w.tenant, w.attempt, w.provider, w.hash, w.campaign, w.list
    ), q as (
        insert into ready (lane, id, tenant, attempt, provider, hash, campaign, list)
        select lane, id, tenant, attempt, provider, hash, campaign, list from d
    )
    select count(*), array_agg(distinct lane) into made, of_lanes from d;
    perform turns_wake(array(select distinct l.turn from lane l where l.id = any (of_lanes) order by l.turn));
    return made;
end $$;

-- Puts claimed deliveries back to the head of their lanes, and wakes their turns. Returns how many. SES certainly does not have
-- them, so the attempt does not count, also if another worker has meanwhile declared the outcome unknown. Fenced as in queue_defer.
create function queue_requeue(lanes int[], ids bigint[], attempts smallint[], called_ats bigint[]) returns int language plpgsql
set search_path from current set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off as $$
declare
    made int := 0;
    more int;
begin
    if ids is null then
        return 0;
    end if;
    perform pg_current_xact_id();
    for look in 1 .. 2 loop
        with u as materialized (
            select * from unnest(lanes, ids, attempts, called_ats) u (lane, id, attempt, called_at) order by u.lane, u.id
        ), b as (
            update ready r set state = 0, attempt = r.attempt - 1, worker = null, called_at = null from u
             where r.lane = u.lane and r.id = u.id and r.state = 1 and r.attempt = u.attempt and r.called_at = u.called_at
            returning r.id
        ), d as (
            delete from waiting w using u
             where w.lane = u.lane and w.id = u.id and w.why + 0 = 2 and w.attempt = u.attempt and w.called_at = u.called_at
            returning w.lane, w.id, w.tenant, w.attempt, w.provider, w.hash, w.campaign, w.list
        ), q as (
            insert into ready (lane, id, tenant, attempt, provider, hash, campaign, list)
            select lane, id, tenant, attempt - 1, provider, hash, campaign, list from d
        )
        select (select count(*) from b) + (select count(*) from d) into more;
        made := made + more;
        exit when made >= cardinality(ids);
    end loop;
    perform turns_wake(array(select distinct l.turn from lane l where l.id = any (lanes) order by l.turn));
    return made;
end $$;

-- Rights ------------------------------------------------------------------------------------------------------------------------

revoke all on function queue_forget(int[], bigint[]),
    queue_finish(int[], bigint[], smallint[], int, smallint[], text[], bigint[], text[], text[], int),
    queue_defer(int[], bigint[], smallint[], bigint[], smallint[], bigint[], bigint[], text[], text[], text[], int),
    queue_ready(int[], bigint[], boolean, smallint[]), queue_requeue(int[], bigint[], smallint[], bigint[]),
    suppressed_for(int, bytea, smallint, int, bigint), write_audit(text, text, int, text, jsonb, jsonb, text) from public;
grant execute on function queue_forget(int[], bigint[]),
    queue_finish(int[], bigint[], smallint[], int, smallint[], text[], bigint[], text[], text[], int),
    queue_defer(int[], bigint[], smallint[], bigint[], smallint[], bigint[], bigint[], text[], text[], text[], int),
    queue_ready(int[], bigint[], boolean, smallint[]), queue_requeue(int[], bigint[], smallint[], bigint[])
    to {{send}}, {{governor}};
grant execute on function suppressed_for(int, bytea, smallint, int, bigint) to {{control}}, {{governor}}, {{send}}, {{observe}};
grant execute on function write_audit(text, text, int, text, jsonb, jsonb, text) to {{control}}, {{governor}}, {{observe}};
-- A cancel by the governor ends the content too. A lock needs the right to update; nobody changes an id.
grant delete on urgent_content to {{governor}};
grant update (id) on urgent_content to {{send}}, {{governor}};
