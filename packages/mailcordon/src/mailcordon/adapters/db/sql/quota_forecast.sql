-- How mail leaves now, for the forecast of the account's quota (docs/policy.md).

-- name: hours
-- Mails of each of the last 24 hours, by our own ledger: a handful of rows for each hour.
select f.minute / 60 as hour, sum(f.sent)::bigint as sent, (now_ms() / 3600000)::int as now
  from cohort_fleet f where f.span = 60 and f.minute >= ((now_ms() / 3600000)::int - 24) * 60 group by 1 order by 1;

-- name: pace
-- Mails an hour, by the last 15 whole minutes.
select (coalesce(sum(f.sent), 0) * 4)::bigint from cohort_fleet f
 where f.span = 1 and f.minute >= (now_ms() / 60000)::int - 15 and f.minute < (now_ms() / 60000)::int;
