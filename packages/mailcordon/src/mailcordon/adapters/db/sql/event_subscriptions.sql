-- name: subscriptions
-- All of them: there are as many as topics.
select topic, confirmed_at, ended_at, last_at, now_ms() as now from event_subscription limit 1000;

-- name: confirmed
-- We told SNS that we want the messages of this topic.
insert into event_subscription as s (topic, confirmed_at) values ($1, $2)
on conflict (topic) do update set confirmed_at = greatest(s.confirmed_at, excluded.confirmed_at);

-- name: ended
-- SNS told us that the subscription was cancelled.
insert into event_subscription as s (topic, ended_at) values ($1, $2)
on conflict (topic) do update set ended_at = greatest(s.ended_at, excluded.ended_at);

-- name: heard
-- A message came: the subscription lives.
insert into event_subscription as s (topic, last_at) values ($1, $2)
on conflict (topic) do update set last_at = greatest(s.last_at, excluded.last_at);
