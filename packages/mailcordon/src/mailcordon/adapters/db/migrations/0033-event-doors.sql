-- Doors for events beside the queues (docs/events.md): keys that hand in events, and the subscriptions of our own address.

alter table api_key
    drop constraint api_key_scopes_check,
    add constraint api_key_scopes_check
        check (scopes <> '{}' and scopes <@ array['send', 'read', 'operate', 'admin', 'events']),
    drop constraint api_key_also_mints_check,
    add constraint api_key_also_mints_check
        check (also_mints <@ array['send', 'read', 'operate', 'admin', 'events']);
-- A key gives no scope that it does not hold. `events` is new, so whoever could give every scope could give none of it.
update api_key set also_mints = also_mints || array['events']
 where tenant is null and scopes || also_mints @> array['send', 'read', 'operate', 'admin'];

-- Subscriptions of `POST /v1/events/sns` to topics. Times are SNS's, so that messages in any order leave the same row.
create table event_subscription (
    topic text primary key,                                 -- ARN
    confirmed_at bigint,                                    -- when SNS asked and we confirmed, in milliseconds since 1970
    ended_at bigint,                                        -- when SNS said that it was cancelled
    last_at bigint                                          -- newest message, written at most once a minute
);
grant select on event_subscription to {{control}}, {{observe}};
grant insert, update on event_subscription to {{observe}};
