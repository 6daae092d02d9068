-- The account at SES and the calls that wait for it.

-- name: limits
-- GetAccount's last figures, one row a cell.
select cell, polled_at, ceiling::float8 as max_send_rate, max_24h::float8 as max_24h, (sent_24h + taken)::float8 as sent_24h,
       sending_enabled, enforcement
from account_rate order by cell;

-- name: waiting
-- What is due by kind of work. A row that was put first has no time of its own (`put_newest_first`).
select work, count(*) as resources, count(distinct tenant) as tenants,
       (extract(epoch from min(case when due_since > '1971-01-01' then due_since when next_try_at > 'epoch' then next_try_at end))
        * 1000)::bigint as since
from ses_resource where next_try_at <= now() and coalesce(due_since, next_try_at) <= now() group by work;

-- name: removals
-- Addresses whose removal from SES's lists was requested.
select count(*) as resources, count(distinct tenant) as tenants, min(removing_since) as since
from suppression where removing_since is not null;

-- name: oldest_read
-- How old what is known of SES is at most.
select (extract(epoch from min(observed_at)) * 1000)::bigint from ses_resource where state = 'applied' and tenant is not null;

-- name: calls
-- The report of the process that reconciles: the newest, since one that took over reports too.
select facts -> 'calls' as calls
from role_health where role = 'control' and beat > now_ms() - $1::bigint and jsonb_typeof(facts -> 'calls') = 'object'
order by beat desc limit 1;

-- name: review
-- What left in the last 24 hours and what came back of it, for the rates at which AWS reviews an account. Complaints: of mail to
-- providers that report them.
select coalesce(sum(c.sent), 0)::bigint as sent, coalesce(sum(c.hard_bounced), 0)::bigint as hard_bounces,
       (coalesce(sum(c.sent), 0) - coalesce(sum(c.silent_sent), 0))::bigint as heard,
       (coalesce(sum(c.complained), 0) - coalesce(sum(c.silent_complained), 0))::bigint as complaints
  from cohort_fleet c where c.span = 60 and c.minute >= (now_ms() / 3600000 - 24) * 60;
