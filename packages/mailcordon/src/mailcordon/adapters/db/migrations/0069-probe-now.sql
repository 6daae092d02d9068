-- A person had a held lane tried at once. What was asked is done if the lane was held then, so it is done once.
alter table breaker_decision
    add column tried_at bigint,
    add column tried_by text,
    add column tried_because text,
    add check ((tried_at is null) = (tried_by is null) and (tried_at is null) = (tried_because is null));
