-- What applies to each lane (docs/policy.md), as plain values that other planes read: guard/policy/effective.py, LanePolicy as JSON.
-- A lane without a row has the built-in policy.
create table lane_policy (
    lane int primary key references lane,
    tenant int not null references tenant,
    version int not null,                                   -- of the policy that was applied last
    document jsonb not null
);
