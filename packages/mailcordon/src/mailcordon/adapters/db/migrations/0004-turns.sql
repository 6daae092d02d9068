-- What fair dispatch needs (docs/send-path.md).

create function now_us() returns bigint language sql stable as $$
    -- As `now_ms`, in microseconds.
    select (extract(epoch from clock_timestamp()) * 1000000)::bigint
         + coalesce(nullif(current_setting('mailcordon.clock_offset_ms', true), '')::bigint, 0) * 1000
$$;

-- `turn.next_at` is in microseconds from here on: a claim returns the turns it served in the order of their next service, one
-- microsecond apart. Milliseconds could not keep that order.
update turn set next_at = next_at * 1000 where next_at is not null;

-- Wakes turns that look idle, or that wait for a rate limit; turns that are due keep their place. The first statement gives the
-- transaction its id, so that the second, which reads the turns, has a later snapshot (docs/decisions/003). `after` is not used:
-- it makes the caller compute it first.
drop function wake_turns(int[], bigint, bigint);
create function wake_turns(turns int[], after bigint) returns void language plpgsql as $$
begin
    perform pg_current_xact_id();
    update turn t set next_at = now_us() from unnest(turns) u (turn) where t.id = u.turn and (t.next_at is null or t.next_at > now_us());
end $$;

-- The same for everything but accept. The turns are locked in the order of their ids, in any order they are given.
create function turns_wake(turns int[]) returns void language plpgsql as $$
begin
    perform pg_current_xact_id();
    update turn set next_at = now_us()
     where id in (select t.id from turn t where t.id = any (turns) and (t.next_at is null or t.next_at > now_us()) order by t.id for no key update);
end $$;
revoke all on function wake_turns(int[], bigint) from public;
grant execute on function wake_turns(int[], bigint) to {{send}};
revoke all on function turns_wake(int[]) from public;
grant execute on function turns_wake(int[]) to {{send}}, {{governor}}, {{control}};
grant update (next_at) on turn to {{control}};

-- A narrow hold that was lifted gives its mail back along a ramp: when the ramp began, and how much was given back.
alter table hold add column moving_since bigint, add column moved bigint not null default 0;
grant update (moving_since, moved) on hold to {{send}};

-- Calls that were granted and that SES's count of the last 24 hours may not contain: since the last but one time that it was asked,
-- since a call is granted before it is made and counted after. `taken_before`: of those, up to the last time.
alter table account_rate add column taken bigint not null default 0 check (taken >= 0), add column taken_before bigint not null default 0;

-- Urgent calls inside the reserve of the day's quota, by tenant and hour: what one tenant used of it is bounded by what is left.
create table reserve_use (
    cell text not null,
    tenant int not null references tenant,
    hour int not null,                                      -- hours since 1970
    calls int not null check (calls >= 0),
    primary key (cell, tenant, hour)
);
grant select, insert, update, delete on reserve_use to {{send}};
grant select on reserve_use to {{control}}, {{governor}};
