-- A dispatcher that finds nothing to claim rests, and is told when a turn that was idle gets mail (docs/decisions/102).

-- Tells the dispatchers that rest which classes (a set of bits) have a turn that is due, when this transaction commits. A dispatcher that
-- rests holds this lock, shared. While none does, nobody is told: in a flood no transaction pays for a hint. The lock is tried for a moment
-- only; two that try at once take each other for a dispatcher, and send a hint that is not needed.
create function turns_hint(classes int) returns void language plpgsql as $$
begin
    if pg_try_advisory_lock(28008, 0) then
        perform pg_advisory_unlock(28008, 0);
    else
        perform pg_notify('mailcordon_turns', classes::text);
    end if;
end $$;
revoke all on function turns_hint(int) from public;
grant execute on function turns_hint(int) to {{send}}, {{governor}}, {{control}};

-- As before (0004-turns.sql), with a hint if a turn was woken.
create or replace function wake_turns(turns int[], after bigint) returns void language plpgsql as $$
begin
    perform pg_current_xact_id();
    update turn t set next_at = now_us() from unnest(turns) u (turn) where t.id = u.turn and (t.next_at is null or t.next_at > now_us());
    if found then
        perform turns_hint((select bit_or(1 << t.class) from turn t where t.id = any (turns)));
    end if;
end $$;

create or replace function turns_wake(turns int[]) returns void language plpgsql as $$
begin
    perform pg_current_xact_id();
    update turn set next_at = now_us()
     where id in (select t.id from turn t where t.id = any (turns) and (t.next_at is null or t.next_at > now_us()) order by t.id for no key update);
    if found then
        perform turns_hint((select bit_or(1 << t.class) from turn t where t.id = any (turns)));
    end if;
end $$;
