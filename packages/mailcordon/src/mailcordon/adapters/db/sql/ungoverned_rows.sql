-- Mail that did not pass through us, as events and CloudTrail's records show it. The observer and control write it.

-- name: known
-- Which of these senders have a row, and whether there is room for others. The number is that of all rows, which are few.
select u.identity, u.caller, (select count(*) from ungoverned)::int as rows, now_ms() as now
from (values (1)) one left join ungoverned u on (u.identity, u.caller) in (select * from unnest($1::text[], $2::text[]));

-- name: lock
-- Makes the rows that are missing, and locks all in one order until the batch is counted.
insert into ungoverned as u (identity, caller, first_at, last_at, since, seen_at)
select n.identity, n.caller, n.at, n.at, n.at, 0
from unnest($1::text[], $2::text[], $3::bigint[]) n (identity, caller, at)
order by n.identity, n.caller
on conflict (identity, caller) do update set kept = u.kept
returning id, identity, caller, kept, facts;

-- name: new_mails
-- The mails that were not counted before. Rows are inserted in one order, so that two writers wait and do not deadlock.
insert into ungoverned_mail (ses_id, sender, at)
select n.ses_id, n.sender, n.at from unnest($1::text[], $2::bigint[], $3::bigint[]) n (ses_id, sender, at) order by n.ses_id
on conflict (ses_id) do nothing
returning ses_id;

-- name: bounced
-- The mails of which no bounce was counted before.
update ungoverned_mail m set bounced = true
from (select ses_id from ungoverned_mail where ses_id = any($1::text[]) and not bounced order by ses_id for update) n
where m.ses_id = n.ses_id and not m.bounced
returning m.ses_id;

-- name: complained
-- The mails of which no complaint was counted before.
update ungoverned_mail m set complained = true
from (select ses_id from ungoverned_mail where ses_id = any($1::text[]) and not complained order by ses_id for update) n
where m.ses_id = n.ses_id and not m.complained
returning m.ses_id;

-- name: add
-- Adds a batch to its senders. A first mail after a quiet hour begins anew.
update ungoverned u
set mails = u.mails + n.mails, recipients = u.recipients + n.recipients, bounces = u.bounces + n.bounces,
    complaints = u.complaints + n.complaints, kept = u.kept + n.kept, facts = n.facts,
    since = case when n.mails > 0 and (n.first_at > u.last_at + 3600000 or n.first_at between u.since - 3600000 and u.since)
                 then n.first_at else u.since end,
    first_at = least(u.first_at, n.first_at), last_at = greatest(u.last_at, n.last_at),
    seen_at = case when n.mails > 0 then now_ms() else u.seen_at end
from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::int[], $7::jsonb[], $8::bigint[], $9::bigint[])
     n (id, mails, recipients, bounces, complaints, kept, facts, first_at, last_at)
where u.id = n.id;

-- name: add_hours
-- Volume by hour.
insert into ungoverned_hour as h (sender, hour, mails, recipients)
select n.sender, n.hour, n.mails, n.recipients from unnest($1::bigint[], $2::int[], $3::bigint[], $4::bigint[]) n (sender, hour, mails, recipients)
order by n.sender, n.hour
on conflict (sender, hour) do update set mails = h.mails + excluded.mails, recipients = h.recipients + excluded.recipients;
