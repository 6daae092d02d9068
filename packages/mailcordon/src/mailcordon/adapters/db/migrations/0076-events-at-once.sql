-- A batch of SES's events in one round trip, and Send events without a row of their own (docs/decisions/103).

-- When SES accepted the mail, by a Send event that has no row in `event`: the answer to its call says all else of it.
alter table outcome add column send_at bigint;

-- Stores a batch of events, if the rows are still as the observer read them; else nothing is stored, and the answer is false. Every
-- text is an array. The first `news` outcomes are of deliveries that had none; the others replace the versions (xmin) that were read.
-- Deliveries of `queued` had no ledger row: none may get one before the end of the transaction, but one that says that SES took the
-- call of that minute, from which the same counts follow. It inserts and locks in the order of the single statements.
create function store_events(
    event_deliveries text, event_keys text, event_tenants text, event_lanes text, event_kinds text, event_attempts text, event_ats text,
    event_ses_ids text, event_details text, events int,
    ids text, tenants text, lanes text, providers text, left_ats text, states text, ats text, kinds text, attempts text, ses_ids text,
    reasons text, details text, bounce_reasons text, send_ats text, news int, versions text, outcomes int,
    queued text, queued_minutes text,
    proof_deliveries text, proof_attempts text, proof_ses_ids text, proof_ats text,
    count_tenants text, count_lanes text, count_minutes text, count_paths text, count_campaigns text, count_lists text,
    count_providers text, count_domains text, counts text,
    time_tenants text, time_lanes text, time_minutes text, time_providers text, time_paths text, times text,
    seen_sets text, seen_ats text
) returns boolean language plpgsql as $$
#variable_conflict use_column
declare
    n int;
    few bigint[];
begin
    if events > 0 then
        insert into event (delivery, key, tenant, lane, kind, attempt, at, ses_id, detail)
        select x.delivery, x.key, x.tenant, x.lane, x.kind, x.attempt, x.at, x.ses_id, x.detail::jsonb
          from unnest(event_deliveries::bigint[], event_keys::bytea[], event_tenants::int[], event_lanes::int[],
                      event_kinds::smallint[], event_attempts::smallint[], event_ats::bigint[], event_ses_ids::text[],
                      event_details::text[])
               as x (delivery, key, tenant, lane, kind, attempt, at, ses_id, detail);
    end if;
    if news > 0 then
        insert into outcome (id, tenant, lane, provider, left_at, state, at, kinds, attempt, ses_id, reason, detail, reasons, send_at)
        select * from unnest((ids::bigint[])[:news], (tenants::int[])[:news], (lanes::int[])[:news], (providers::smallint[])[:news],
                             (left_ats::bigint[])[:news], (states::smallint[])[:news], (ats::bigint[])[:news], (kinds::int[])[:news],
                             (attempts::smallint[])[:news], (ses_ids::text[])[:news], (reasons::text[])[:news], (details::text[])[:news],
                             (bounce_reasons::int[])[:news], (send_ats::bigint[])[:news]);
    end if;
    if queued is not null then
        few := queued::bigint[];
        perform lock_deliveries(few);
        if exists (
            select from unnest(few, queued_minutes::bigint[]) x (id, minute)
             cross join lateral (
                  select state, called_at from ledger
                   where id = x.id and id between few[1] and few[cardinality(few)] limit 1) l
             where l.state <> 20 or l.called_at is null or l.called_at / 60000 <> x.minute)
        then
            raise exception using errcode = 'MC001';
        end if;
    end if;
    if outcomes > news then
        few := (ids::bigint[])[news + 1:];
        select count(*) into n
          from unnest(few, versions::text[]) x (id, version)
         cross join lateral (
              select o.xmin::text as version from outcome o
               where o.id = x.id and o.id between few[1] and few[cardinality(few)] limit 1 for update) o
         where o.version = x.version;
        if n <> outcomes - news then
            raise exception using errcode = 'MC001';
        end if;
        insert into outcome as o (id, tenant, lane, provider, left_at, state, at, kinds, attempt, ses_id, reason, detail, reasons, send_at)
        select * from unnest(few, (tenants::int[])[news + 1:], (lanes::int[])[news + 1:], (providers::smallint[])[news + 1:],
                             (left_ats::bigint[])[news + 1:], (states::smallint[])[news + 1:], (ats::bigint[])[news + 1:],
                             (kinds::int[])[news + 1:], (attempts::smallint[])[news + 1:], (ses_ids::text[])[news + 1:],
                             (reasons::text[])[news + 1:], (details::text[])[news + 1:], (bounce_reasons::int[])[news + 1:],
                             (send_ats::bigint[])[news + 1:])
        on conflict (id) do update
           set provider = excluded.provider, left_at = excluded.left_at, state = excluded.state, at = excluded.at, kinds = excluded.kinds,
               attempt = excluded.attempt, ses_id = excluded.ses_id, reason = excluded.reason, detail = excluded.detail,
               reasons = excluded.reasons, send_at = excluded.send_at;
    end if;
    if proof_deliveries is not null then
        insert into send_event (delivery, attempt, ses_id, at)
        select * from unnest(proof_deliveries::bigint[], proof_attempts::smallint[], proof_ses_ids::text[], proof_ats::bigint[])
        on conflict do nothing;
    end if;
    if count_tenants is not null then
        insert into cohort_change (tenant, lane, minute, path, campaign, list, provider, domain, counts)
        select x.tenant, x.lane, x.minute, x.path, x.campaign, x.list, x.provider, x.domain, x.counts::int[]
          from unnest(count_tenants::int[], count_lanes::int[], count_minutes::int[], count_paths::text[], count_campaigns::text[],
                      count_lists::text[], count_providers::smallint[], count_domains::text[], counts::text[])
               as x (tenant, lane, minute, path, campaign, list, provider, domain, counts);
    end if;
    if time_tenants is not null then
        insert into delivery_time_change (tenant, lane, minute, provider, path, counts)
        select x.tenant, x.lane, x.minute, x.provider, x.path, x.counts::int[]
          from unnest(time_tenants::int[], time_lanes::int[], time_minutes::int[], time_providers::smallint[], time_paths::text[],
                      times::text[])
               as x (tenant, lane, minute, provider, path, counts);
    end if;
    -- Rows that all observers share: last, so that their locks are short.
    if seen_sets is not null then
        insert into send_seen as s (configuration_set, called_at)
        select * from unnest(seen_sets::text[], seen_ats::bigint[])
        on conflict (configuration_set) do update set called_at = excluded.called_at where s.called_at < excluded.called_at;
    end if;
    return true;
exception when unique_violation or sqlstate 'MC001' then
    return false;  -- and all of it is undone
end $$;
revoke all on function store_events from public;
grant execute on function store_events to {{observe}};
