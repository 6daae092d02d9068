-- Ungoverned senders as people see them and as alarms, what is expected, and SES's count (docs/ungoverned.md).

-- name: senders
-- A page of senders, the newest first. $5: only those with mail since then, as alarms need them. Whose an identity is follows from
-- the closest domain of ours above it, each looked up in the index of domains.
select u.id, u.identity, u.caller, o.tenant, o.tenant_slug, u.first_at, u.last_at, u.since, u.seen_at, u.mails, u.recipients,
       u.bounces, u.complaints, u.facts,
       coalesce((select sum(h.mails) from ungoverned_hour h where h.sender = u.id and h.hour > now_ms() / 3600000 - 24), 0)::bigint as day_mails,
       e.id as expected, e.identity as expected_identity, e.caller as expected_caller, e.since as expected_since,
       e.until as expected_until, e.because, e.by, e.ended_at, e.ended_by
from ungoverned u
left join lateral (
    select i.tenant, (select t.slug from tenant t where t.id = i.tenant) as tenant_slug
    from string_to_array(regexp_replace(u.identity, '^.*@', ''), '.') labels
    cross join lateral generate_series(1, cardinality(labels) - 1) n
    cross join lateral (select x.tenant from identity x where x.domain = array_to_string(labels[n:], '.') offset 0) i
    order by n limit 1
) o on true
left join lateral (
    select x.* from ungoverned_expected x
    where x.identity = u.identity and coalesce(x.caller, u.caller) = u.caller
    order by x.ended_at is null desc, x.until desc limit 1
) e on true
where ($1::bigint is null or u.id = $1) and ($2::int is null or o.tenant = $2) and ($3::bigint is null or u.id < $3)
  and ($5::bigint is null or u.seen_at > $5)
order by u.id desc limit $4;

-- name: counts
-- SES's count of each cell as it was judged last, with the account's identities that are not ours (docs/drift.md).
with others as materialized (
    select f.resource,
           exists (select from ungoverned_expected x where x.identity = f.resource and x.ended_at is null and x.until > now_ms()) as expected
    from finding f where f.kind = 'extra-identity' and f.ended_at is null order by expected, f.id desc limit 10
)
select c.cell, c.at, c.sent, c.excess, c.compared, c.over_since, c.grew_at,
       case when c.over_since is null then array[]::text[] else array(select o.resource from others o order by 1) end as identities,
       c.over_since is not null and (
           exists (select from ungoverned_expected x where x.identity = '*' and x.ended_at is null and x.until > now_ms())
           or exists (select from others) and not exists (select from others o where not o.expected)
       ) as expected
from (select distinct cell from account_rate) a
cross join lateral (select * from ses_count s where s.cell = a.cell and s.judged_at is not null order by s.at desc limit 1) c;

-- name: expectations
-- What was declared, the newest first.
select id, identity, caller, since, until, because, by, ended_at, ended_by from ungoverned_expected
where ($1::bigint is null or id < $1) order by id desc limit $2;

-- name: end_same
-- A declaration takes the place of one that is valid for the same.
update ungoverned_expected set ended_at = now_ms(), ended_by = $3
where identity = $1 and caller is not distinct from $2 and ended_at is null and until > now_ms();

-- name: expect
-- Declares mail as expected.
insert into ungoverned_expected (identity, caller, since, until, because, by)
values ($1, $2, now_ms(), now_ms() + $3::bigint, $4, $5)
returning id, identity, caller, since, until, because, by, ended_at, ended_by;

-- name: unexpect
-- Ends a declaration before its time.
update ungoverned_expected set ended_at = now_ms(), ended_by = $2 where id = $1 and ended_at is null and until > now_ms()
returning id, identity, caller, since, until, because, by, ended_at, ended_by;

-- name: reading
-- Adds what GetAccount said last, if it is new, with what left our queues since ever. Some of that has no outcome, and may be at SES.
insert into ses_count (cell, at, sent, ours, first_at)
select a.cell, a.polled_at, round(a.sent_24h)::bigint, f.ours, coalesce(case when l.ours <= f.ours then l.first_at end, a.polled_at)
from account_rate a
cross join (
    select coalesce(sum(deliveries - refused - expired - cancelled - given_up - rejected), 0)::bigint as ours from lane_finished
) f
left join lateral (select s.ours, s.first_at from ses_count s where s.cell = a.cell order by s.at desc limit 1) l on true
where a.cell = $1 and a.polled_at > coalesce((select max(s.at) from ses_count s where s.cell = a.cell), 0)
returning at, ours, first_at;

-- name: to_judge
-- The reading before this one, with what is known by now. Two days of other installations' mail: their days may not be ours.
select s.at, s.sent, s.ours, s.first_at,
       p.lowest, p.excess, p.compared, p.over_since, p.under_since, p.grew_at, p.grown_to,
       (select count(*) from waiting w where w.why = 2)::bigint as unknown,
       coalesce((select sum(e.documents) from elsewhere e
                 where e.kind = 0 and e.day >= (to_timestamp((s.at - 86400000 - $3::bigint) / 1000.0) at time zone 'UTC')::date), 0)::bigint as others,
       coalesce((select sum(h.recipients) from ungoverned_hour h where h.hour >= (s.at - 86400000 - $3::bigint) / 3600000), 0)::bigint as named,
       l.ours as ours_lag, l.lowest as lowest_lag,
       (select b.ours from ses_count b where b.cell = $1 and b.at >= greatest(s.first_at, s.at - 86400000) order by b.at limit 1) as ours_day,
       (select b.ours from ses_count b where b.cell = $1 and b.at >= s.first_at and b.at < s.at - 86400000 - $3 - 60000 order by b.at desc limit 1)
           as ours_window,
       (select b.ours from ses_count b where b.cell = $1 and b.at >= s.first_at order by b.at limit 1) as ours_first
from (select * from ses_count where cell = $1 and at < $2 order by at desc limit 1) s
left join lateral (select * from ses_count q where q.cell = $1 and q.at < s.at and q.first_at = s.first_at order by q.at desc limit 1) p on true
left join lateral (
    select b.ours, b.lowest from ses_count b
    where b.cell = $1 and b.at >= s.first_at and b.at < s.at and b.at <= s.at - $3 order by b.at desc limit 1
) l on true;

-- name: called
-- Deliveries whose call has not ended: of a dispatcher that died SES may have them. No index has them, so it is read only if nothing
-- else explains SES's count.
select count(*) from ready where state = 1;

-- name: judged
-- Stores what a reading shows. It is no news ($10) unless SES's count begins or ends to be too high or too low.
update ses_count
set lowest = $3, excess = $4, compared = $5, over_since = $6, under_since = $7, grew_at = $8, grown_to = $9, judged_at = now_ms()
where cell = $1 and at = $2
returning case when $10 then nextval('quiet_write') end;

-- name: thin
-- One reading a minute is enough for later looks, but for those that begin a series.
delete from ses_count s
where s.cell = $1 and s.at = (select b.at from ses_count b where b.cell = $1 and b.at < $2 order by b.at desc limit 1)
  and s.at > s.first_at and s.at / 60000 = (select b.at from ses_count b where b.cell = $1 and b.at < s.at order by b.at desc limit 1) / 60000;

-- name: purge
-- What no look needs any more. Senders that were quiet for as long as records are kept go with their hours.
with readings as (delete from ses_count where at < now_ms() - 2 * 86400000::bigint),
     mails as (delete from ungoverned_mail where ses_id in (select m.ses_id from ungoverned_mail m where m.at < now_ms() - $2::bigint limit 10000)
               returning sender),
     counted as (select sender, count(*)::int as number from mails group by 1),
     room as (update ungoverned u set kept = greatest(0, u.kept - c.number) from counted c where c.sender = u.id),
     ended as (delete from ungoverned_expected where coalesce(ended_at, until) < now_ms() - $1::bigint),
     hours as (delete from ungoverned_hour where hour < (now_ms() - $1::bigint) / 3600000)
delete from ungoverned where last_at < now_ms() - $1::bigint and seen_at < now_ms() - $1::bigint;
