-- A dispatcher rests by class: where urgent mail is rare, the flood of a newsletter sends no hints because the urgent loop rests.

-- As before (0074-hints.sql), with a lock for each class.
create or replace function turns_hint(classes int) returns void language plpgsql as $$
begin
    for class in 0 .. 2 loop
        if classes & (1 << class) = 0 then
            continue;
        elsif pg_try_advisory_lock(28008, class) then
            perform pg_advisory_unlock(28008, class);
        else
            perform pg_notify('mailcordon_turns', classes::text);
            return;
        end if;
    end loop;
end $$;
