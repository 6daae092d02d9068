-- A claim of little mail in two round trips (docs/decisions/105).

-- Takes what a dispatcher has just seen, without locks, of due turns and the heads of their lanes; or nothing, if any of it has
-- changed, and the answer is false. It locks and writes in the order of the statements of a plain claim.
--
-- Turns ($4 to $7) are those that change: where each was seen, when it was due, and when it is due next (null: when it has mail). One that
-- got mail meanwhile stays due. Lanes ($8) are those that were visited, of tenants ($9) with versions of their limits ($10). Mail ($11 to $13)
-- is taken for the attempt of that number. Lanes with a rate ($14 to $16) have that many tokens left. From `uses` on: what is counted, as in
-- `return_turns` of limited_claim.sql; nothing if it is null.
create function claim_seen(
    the_worker int, at_us bigint, the_epoch bigint,
    turns int[], turn_rows tid[], seen_due bigint[], next_due bigint[],
    lanes int[], tenants int[], versions bigint[],
    mails bigint[], mail_rows tid[], attempts smallint[],
    paced int[], paced_tokens real[], paced_ats bigint[],
    uses text, use_counts text, per_minutes text, per_hours text, per_days text, in_alls text,
    address_lanes text, each_minute text, each_hour text, each_day text,
    counted_lanes text, hashes text, hash_counts text
) returns boolean language plpgsql as $$
#variable_conflict use_column
declare
    n int;
    over boolean;
    this_minute int := at_us / 60000000;
    this_hour int := at_us / 3600000000;
    this_day int := at_us / 86400000000;
    never bigint := 1::bigint << 62;
begin
    if (select count(*) from (select from unnest(turns, turn_rows, seen_due) u (turn, row, due) join turn t on t.ctid = u.row
                               where t.id = u.turn and t.next_at = u.due for no key update of t skip locked) x) <> cardinality(turns)
       or (select e.value from epoch e where e.name = 'control') <> the_epoch
       or exists (select from unnest(tenants, versions) u (tenant, version)
                   where (select v.value from limit_version v where v.tenant = u.tenant) is distinct from u.version)
       or exists (select from unnest(lanes) u (lane) where (select l.held or l.stopped from lane l where l.id = u.lane))
    then
        return false;
    end if;
    if uses is not null then
        with c as (
            update limit_use x
               set minute = case when x.minute > this_minute and x.minute <= this_minute + 60 then x.minute else this_minute end,
                   in_minute = case when x.minute >= this_minute then x.in_minute else 0 end + u.n,
                   hour = case when x.hour > this_hour and x.hour <= this_hour + 24 then x.hour else this_hour end,
                   in_hour = case when x.hour >= this_hour then x.in_hour else 0 end + u.n,
                   day = case when x.day > this_day and x.day <= this_day + 7 then x.day else this_day end,
                   in_day = case when x.day >= this_day then x.in_day else 0 end + u.n,
                   ever = x.ever + u.n
              from unnest(uses::int[], use_counts::int[], per_minutes::bigint[], per_hours::bigint[], per_days::bigint[], in_alls::bigint[])
                     u (use, n, per_minute, per_hour, per_day, in_all)
             where x.id = u.use
            returning x.in_minute > u.per_minute or x.minute > this_minute and u.per_minute < never
                         or x.in_hour > u.per_hour or x.hour > this_hour and u.per_hour < never
                         or x.in_day > u.per_day or x.day > this_day and u.per_day < never or x.ever > u.in_all as over
        )
        select coalesce(bool_or(c.over), false) into over from c;
        if over then
            raise exception using errcode = 'MC001';
        end if;
        if counted_lanes <> '{}' then
            with a as (
                insert into recipient_use as x (lane, hash, minute, in_minute, hour, in_hour, day, in_day)
                select u.lane, u.hash, this_minute, u.n, this_hour, u.n, this_day, u.n
                  from unnest(counted_lanes::int[], hashes::bytea[], hash_counts::int[]) u (lane, hash, n) order by u.lane, u.hash
                on conflict (lane, hash) do update
                set minute = case when x.minute > excluded.minute and x.minute <= excluded.minute + 60 then x.minute else excluded.minute end,
                    in_minute = case when x.minute >= excluded.minute then x.in_minute else 0 end + excluded.in_minute,
                    hour = case when x.hour > excluded.hour and x.hour <= excluded.hour + 24 then x.hour else excluded.hour end,
                    in_hour = case when x.hour >= excluded.hour then x.in_hour else 0 end + excluded.in_hour,
                    day = case when x.day > excluded.day and x.day <= excluded.day + 7 then x.day else excluded.day end,
                    in_day = case when x.day >= excluded.day then x.in_day else 0 end + excluded.in_day
                returning x.lane, x.minute, x.in_minute, x.hour, x.in_hour, x.day, x.in_day
            )
            select coalesce(bool_or(
                       a.in_minute > u.per_minute or a.minute > this_minute and u.per_minute < never
                    or a.in_hour > u.per_hour or a.hour > this_hour and u.per_hour < never
                    or a.in_day > u.per_day or a.day > this_day and u.per_day < never), false) into over
              from a join unnest(address_lanes::int[], each_minute::bigint[], each_hour::bigint[], each_day::bigint[])
                          u (lane, per_minute, per_hour, per_day) on u.lane = a.lane;
            if over then
                raise exception using errcode = 'MC001';
            end if;
        end if;
    end if;
    if cardinality(mails) > 0 then
        update ready q set state = 1, attempt = u.attempt, worker = the_worker, called_at = at_us / 1000
          from unnest(mails, mail_rows, attempts) u (id, row, attempt)
         where q.ctid = u.row and q.id = u.id and q.state = 0 and q.attempt + 1 = u.attempt;
        get diagnostics n = row_count;
        if n <> cardinality(mails) then
            raise exception using errcode = 'MC001';  -- one was cancelled, parked or expired
        end if;
    end if;
    if cardinality(paced) > 0 then
        update lane l set tokens = u.tokens, tokens_at = u.at from unnest(paced, paced_tokens, paced_ats) u (lane, tokens, at)
         where l.id = u.lane;
    end if;
    update turn t
       set next_at = coalesce(u.due, (
               select at_us where exists (
                   select from lane l where l.turn = t.id and not l.held and not l.stopped
                      and exists (select from ready r where r.lane = l.id and r.state = 0
                                     and r.id >= first_id_at(at_us / 1000 - l.expiry_ms)))))
      from unnest(turn_rows, next_due) u (row, due) where t.ctid = u.row;
    return true;
exception when sqlstate 'MC001' then
    return false;  -- and all of it is undone
end $$;
revoke all on function claim_seen from public;
grant execute on function claim_seen to {{send}};
