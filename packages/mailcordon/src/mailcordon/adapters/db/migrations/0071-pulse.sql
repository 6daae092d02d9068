-- What the pulse reads (docs/decisions/100-pace.md).

-- How many transactions wrote only that a process still runs. Whoever writes such a row takes the next number in the same transaction, so
-- that the loops which wait for something to be written do not wake for it.
create sequence quiet_write;
grant usage on sequence quiet_write to {{control}}, {{send}}, {{observe}}, {{governor}};
grant select on sequence quiet_write to {{control}};

-- Whether the time of a hold is over is asked at each beat, however many are open.
create index hold_ends on hold (until) where lifted_at is null;
