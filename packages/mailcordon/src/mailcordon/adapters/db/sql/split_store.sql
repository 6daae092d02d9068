-- The account's suppression list taken apart, entry by entry (control/suppression_split). Only platform keys read it.

-- name: newest
-- The run that is open, else the one that ended last. Only one can be open.
select *, now_ms() as now from split order by ended_at is null desc, id desc limit 1;

-- name: begin
-- A new run. Whoever is second finds the first. Its rounds go on from those of earlier runs, which entries still name.
insert into split (started_by, because, owner, releases, round)
select $1, $2, $3, $4, coalesce(max(round), 0) + 1 from split on conflict do nothing returning id;

-- name: begin_round
-- A run that watches lists the account's list again, and what is nobody's is decided again with what is known now.
update split set phase = 'comparing', round = round + 1, list = '', token = null, next_at = null, owner = $2, because = $3, releases = $4
 where id = $1 and ended_at is null and phase = 'watching' returning id;

-- name: decide_again
-- What SES says of them is known, so no call is needed. They stay on the platform's list meanwhile.
update split_entry set state = 'listed', must_read = false, next_at = null, split = $1 where state = 'unowned';

-- name: senders_past_us
-- Who sent past us in the last 7 days, and is not expected to.
select count(*)::int from ungoverned u
 where u.last_at > now_ms() - 604800000
   and not exists (select from ungoverned_expected x
                    where x.identity in (u.identity, '*') and coalesce(x.caller, u.caller) = u.caller and x.ended_at is null
                      and x.until > now_ms());

-- name: end
-- By a person, once. The account's list is looked at from then on, and left as it is.
update split set ended_at = now_ms(), ended_by = $2, ended_because = $3, problem = null, token = null
 where id = $1 and ended_at is null and phase = 'watching' returning id;

-- name: progress
-- Calls that were made, and the pace of the last minutes.
update split set calls = calls + $2, pace = coalesce($3, pace), problem = $4, next_at = coalesce(now_ms() + $5::bigint, next_at)
 where id = $1;

-- name: list_page
-- A page of the account's list. An entry that is new, that SES entered again, or that is there although it was taken off, is read; all
-- others stay as they were decided. Those that keep somebody's mail out now come first.
insert into split_entry as e (spelling, hash, split, reason, listed_at, state, rank, seen_round)
select x.spelling, x.hash, $1, x.reason, x.listed_at, case when x.hash is null then 'odd' else 'listed' end,
       case when exists (select from suppression s where s.hash = x.hash and s.cause in ('ses-account-list', 'ses-account-complaint')) then 0
            when exists (select from recipient r where r.hash = x.hash) then 1 else 2 end, $2
  from unnest($3::text::text[], $4::text::bytea[], $5::text::text[], $6::text::bigint[]) x (spelling, hash, reason, listed_at)
on conflict (spelling) do update
   set seen_round = excluded.seen_round, split = excluded.split, reason = excluded.reason, listed_at = excluded.listed_at,
       problem = case when e.state in ('unowned', 'platform') then null else e.problem end,
       rank = excluded.rank,
       state = case when again(e, excluded.listed_at) then 'listed' else e.state end,
       tenant = case when again(e, excluded.listed_at) then null else e.tenant end,
       must_read = e.must_read or again(e, excluded.listed_at),
       next_at = case when again(e, excluded.listed_at) then null else e.next_at end;

-- name: page_over
-- Where the listing goes on: the same page again if a process dies before this.
update split set token = $3
 where id = $1 and (phase, list) = ($2, $4) and ended_at is not distinct from $5::bigint;

-- name: enter_phase
-- The next phase, or the next list of the same one.
update split set phase = $3, list = $4, token = null, round = round + $5, next_at = case when $6::bigint is null then null else now_ms() + $6 end,
       compared_at = case when $3 = 'watching' and ended_at is null then now_ms() else compared_at end,
       listed_since = coalesce($7, listed_since)
 where id = $1 and phase = $2 and ended_at is not distinct from $8::bigint;

-- name: vanished
-- After a whole listing: entries that SES's list does not have any more. Whoever took one off decided that it covers nobody there; what
-- is on the platform's list waits for its owner all the same.
update split_entry
   set state = case when state = 'kept' then 'assigned' else state end, done_at = case when state = 'kept' then now_ms() else done_at end,
       problem = case when state = 'kept' then null else $2 end
 where state in ('kept', 'unowned', 'platform') and seen_round < $1;

-- name: left_again
-- After a look at what SES entered since a person ended the run: entries that it showed before and does not now.
update split_entry set state = 'gone', done_at = now_ms() where state = 'listed' and seen_round < $1;

-- name: refilled
-- What came on the account's list since the newest run was ended, and no run took apart.
select s.ended_at, count(*)::int as entries, max(e.listed_at) as newest
  from (select id, ended_at from split order by ended_at is null desc, id desc limit 1) s
  join split_entry e on e.state = 'listed'
 where s.ended_at is not null group by s.ended_at;

-- name: release_kept
-- Entries that stayed because their tenant's mail did not pass through us, and does now.
update split_entry e set state = 'owned', next_at = null
 where e.state = 'kept' and $1 and not past_us(e.tenant);

-- name: next_list
-- The next SES tenant whose list is compared.
select r.name from ses_resource r join tenant t on t.id = r.tenant
 where r.kind = 'tenant' and r.state = 'applied' and t.retired_at is null and r.name > $1 order by r.name limit 1;

-- name: tenant_of_list
-- Whose SES tenant it is.
select r.tenant, t.slug from ses_resource r join tenant t on t.id = r.tenant where r.kind = 'tenant' and r.name = $1;

-- name: see_stored
-- What a page of a tenant's list shows of what was put there.
update split_stored s set round = $2
  from unnest($3::text::text[]) x (spelling)
 where s.list = $1 and s.spelling = x.spelling;

-- name: unsuppressed
-- Entries of a page of a tenant's list that nothing of ours covers, and nobody removed since: SES drops that mail.
select x.spelling, x.hash, x.reason, x.listed_at
  from unnest($2::text::text[], $3::text::bytea[], $4::text::text[], $5::text::bigint[]) x (spelling, hash, reason, listed_at)
 where x.hash is not null
   and not exists (select from suppression s where s.tenant = $1 and s.hash = x.hash and (s.until is null or s.until > now_ms()))
   and not exists (select from suppression_removal r where r.tenant = $1 and r.hash = x.hash and r.at >= x.listed_at)
   and not exists (select from ses_unlisting u where u.tenant = $1 and u.hash = x.hash and u.due_at is not null)
   and not exists (select from forgotten_address f where f.tenant = $1 and f.hash = x.hash);

-- name: missing_stored
-- After a whole listing of a tenant's list: what was put there and is not. It is put there again if ours still stands.
with gone as (
    delete from split_stored s where s.list = $1 and s.round < $2 returning s.spelling
)
update split_entry e set state = 'owned', next_at = null
  from gone g
 where e.spelling = g.spelling and e.state in ('assigned', 'kept') and e.spelling like '%@%'
   and exists (select from suppression s where s.tenant = e.tenant and s.hash = e.hash and s.removing_since is null
                                           and (s.until is null or s.until > now_ms()));

-- name: unstored
-- Entries that are not on a list of their tenant: it got an SES tenant, or one more, after they were assigned.
update split_entry e set state = 'owned', next_at = null
 where e.state in ('assigned', 'kept') and e.spelling like '%@%'
   and exists (select from ses_resource r
                where r.tenant = e.tenant and r.kind = 'tenant' and r.state = 'applied'
                  and not exists (select from split_stored x where x.list = r.name and x.spelling = e.spelling))
   and exists (select from suppression s where s.tenant = e.tenant and s.hash = e.hash and s.removing_since is null
                                           and (s.until is null or s.until > now_ms()));

-- name: due
-- Entries whose turn it is, or the one that $2 names, with the tenant's lists at SES that do not have them. A suppression that was removed is not stored again.
select e.spelling, e.hash, e.reason, e.listed_at, e.message_id, e.feedback_id, e.state, e.tenant, e.tries,
       e.must_read or e.state in ('owned', 'freeing') and coalesce(e.read_at, 0) < now_ms() - 600000 as must_read,
       case when e.state = 'owned' and exists (select from suppression s where s.tenant = e.tenant and s.hash = e.hash and s.removing_since is null)
            then array(select r.name from ses_resource r
                        where r.tenant = e.tenant and r.kind = 'tenant' and r.state = 'applied'
                          and not exists (select from split_stored x where x.list = r.name and x.spelling = e.spelling) order by r.name)
            else '{}' end as lists,
       e.state = 'owned' and past_us(e.tenant) as past_us
  from split_entry e
 where e.spelling = any (case when $2::text is not null then array[$2] else
           array(select spelling from split_entry where state in ('owned', 'freeing') and coalesce(next_at, 0) <= now_ms()
                  order by rank, listed_at desc limit $1)
           || array(select spelling from split_entry where state = 'listed' and coalesce(next_at, 0) <= now_ms()
                     order by rank, listed_at desc limit $1) end)
   and e.state in ('listed', 'owned', 'freeing')
 order by e.state = 'listed', e.rank, e.listed_at desc limit $1;

-- name: candidates
-- What we have that says whose an entry is: mail with SES's id of it ($2), bounces and complaints, and suppressions that outlived their
-- mail. Of the newest 200 mails to the address.
with mailed as (
    select x.tenant, x.id, m.lane, m.path = 'observed' as archive
      from (select tenant, id from recipient where hash = $1 order by id desc limit 200) x
     cross join lateral (select lane, path from message where id = x.id & ~63::bigint limit 1) m
), found as (
    select x.tenant, l.class, (x.id >> 22) + 1767225600000 as at, false as complaint, $2::text as ses_id, x.archive
      from mailed x join lane l on l.id = x.lane
     where $2::text is not null
       and (exists (select from (select ses_id from ledger where id = x.id limit 1) g where g.ses_id = $2)
            or exists (select from (select ses_id from outcome where id = x.id limit 1) o where o.ses_id = $2)
            or exists (select from send_event where delivery = x.id and ses_id = $2)
            or exists (select from event where delivery = x.id and ses_id = $2))
    union all
    select x.tenant, l.class, e.at, e.kind = 7, e.ses_id, x.archive
      from mailed x join lane l on l.id = x.lane
     cross join lateral (select at, kind, ses_id from event where delivery = x.id and kind in (6, 7) limit 10) e
    union all
    select s.tenant, case when s.scope = 1 then s.target else 2 end, s.since, s.cause = 'complaint', s.evidence ->> 'ses_id', false
      from suppression s where s.hash = $1 and s.cause in ('hard-bounce', 'complaint') and not s.evidence ? 'split'
)
select f.tenant, t.slug, f.class, f.at, f.complaint, f.ses_id, f.archive from found f join tenant t on t.id = f.tenant;

-- name: record
-- What SES says of an entry that was read.
update split_entry set reason = $2, listed_at = $3, message_id = $4, feedback_id = $5, read_at = now_ms(), must_read = false
 where spelling = $1 and state = 'listed';

-- name: own
-- It is a tenant's. Its suppression is written in the same transaction, so it stands before anything is changed at SES.
update split_entry set state = 'owned', tenant = $2, "by" = $3, evidence = evidence || $4::jsonb, decided_at = now_ms(), problem = null, tries = 0,
       next_at = null
 where spelling = $1 and state = any ($5::text[]) returning hash, reason, listed_at, message_id;

-- name: disown
-- It is nobody's, and covers everybody until its owner decides.
update split_entry set state = 'unowned', decided_at = coalesce(decided_at, now_ms()), problem = null, tries = 0 where spelling = $1 and state = 'listed';

-- name: cover_everybody
-- As SES drops mail for it: for a complaint that of marketing sets only. What a person put there stays as it is. Of several entries of an
-- address, one for a bounce covers all mail.
insert into platform_suppression as p (hash, address, cause, since, by, provenance, owner, class)
values ($1, $2, case when $3 = 'COMPLAINT' then 'complaint' else 'hard-bounce' end, $4, 'split', 'unowned', $5, case when $3 = 'COMPLAINT' then 2 end)
on conflict (hash) do update set cause = excluded.cause, class = excluded.class, since = excluded.since
 where p.provenance = 'unowned' and p.class is not null and excluded.class is null;

-- name: uncover_everybody
-- Once no entry of the address is on the platform's list any more. If complaints alone are left, it covers marketing mail only.
with left_there as materialized (
    select count(*) as entries, count(*) filter (where e.reason <> 'COMPLAINT') as bounces
      from split_entry e where e.hash = $1 and e.state in ('unowned', 'platform')
), gone as (
    delete from platform_suppression p using left_there l where p.hash = $1 and p.provenance = 'unowned' and l.entries = 0
)
update platform_suppression p set cause = 'complaint', class = 2
  from left_there l where p.hash = $1 and p.provenance = 'unowned' and l.entries > 0 and l.bounces = 0;

-- name: read_again
-- SES entered it anew since it was read, so it may be another tenant's now. What follows from the old one stays.
update split_entry set state = 'listed', tenant = null, must_read = true where spelling = $1 and state in ('owned', 'freeing');

-- name: gone
-- The account's list does not have it any more: it blocks nobody.
update split_entry set state = 'gone', read_at = now_ms(), done_at = now_ms(), problem = null where spelling = $1 and state = 'listed';

-- name: stored
-- It is on the tenant's list at SES.
insert into split_stored (list, spelling, round) select $1, $2, round from split where id = $3 on conflict (list, spelling) do update set round = excluded.round;

-- name: settle
-- No call remains for it.
update split_entry set state = $2, done_at = now_ms(), problem = null, tries = 0, evidence = evidence || $3::jsonb
 where spelling = $1 and state = $4 returning hash, tenant;

-- name: free_others
-- Tenants that were kept from the address by the account's entry alone. $2: whose it is; null: nobody's.
with gone as (
    delete from suppression s
     where s.hash = $1 and s.cause in ('ses-account-list', 'ses-account-complaint') and s.tenant is distinct from $2
    returning s.tenant
), e as (
    update ses_entry set found = false, reason = null, listed_at = null, message_id = null, feedback_id = null, read_at = now_ms(),
           wanted_since = null, next_try_at = null
     where hash = $1 and list = ''
)
select t.slug from gone g join tenant t on t.id = g.tenant order by 1;

-- name: sweep
-- Hits on an entry that are reported after it was taken off suppress nobody else. SES may check mail against it for a minute.
delete from suppression s using split_entry e
 where s.cause in ('ses-account-list', 'ses-account-complaint') and e.hash = s.hash and e.state in ('assigned', 'freed')
   and e.tenant is distinct from s.tenant and s.since <= e.done_at + 60000
   and not exists (select from split_entry o where o.hash = s.hash and o.state not in ('assigned', 'freed', 'gone'));

-- name: failed
-- Why it is not done, and when it is tried again: ever later, at most an hour.
update split_entry set problem = $2, tries = tries + 1, next_at = now_ms() + least(3600000, $3::bigint * (1 << least(tries, 10))) where spelling = $1;

-- name: counts
-- Entries by state and by what assigned them.
select state, "by", count(*)::int as number, count(*) filter (where problem is not null)::int as problems from split_entry group by 1, 2;

-- name: lists
-- How many lists of tenants are compared.
select count(*)::int from ses_resource r join tenant t on t.id = r.tenant
 where r.kind = 'tenant' and r.state = 'applied' and t.retired_at is null and r.name > $1;

-- name: open
-- Entries that calls to SES remain for. $1: without those that SES entered since then.
select count(*)::int from split_entry
 where state in ('listed', 'owned', 'freeing') and ($1::bigint is null or state <> 'listed' or listed_at < $1);

-- name: entries
-- A page of entries, of a state ($2), a tenant ($3) or an address ($4).
select e.*, t.slug, p.owner from split_entry e left join tenant t on t.id = e.tenant left join platform_suppression p on p.hash = e.hash
 where e.spelling > $1 and ($2::text is null or e.state = $2) and ($3::int is null or e.tenant = $3) and ($4::bytea is null or e.hash = $4)
 order by e.spelling limit $5;

-- name: entries_at
-- Locked, since a decision follows.
select e.*, null::text as slug, null::text as owner from split_entry e where e.spelling = any ($1::text[]) order by e.spelling for update;

-- name: decide_platform
-- A person keeps it for everybody.
update split_entry set state = 'platform', "by" = 'person', decided_at = now_ms(), evidence = evidence || $2::jsonb
 where spelling = $1 and state = any ($3::text[]) returning hash, reason, listed_at;

-- name: decide_nobody
-- A person frees it. The call to SES follows.
update split_entry set state = 'freeing', "by" = 'person', decided_at = now_ms(), evidence = evidence || $2::jsonb, tries = 0, next_at = null
 where spelling = $1 and state = any ($3::text[]) returning hash;

-- name: work_soon
-- A person decided: the calls that follow do not wait for the next look. A run that ended goes on with them.
update split set next_at = null where ended_at is null;

-- name: standing
-- What remains open that may be about a tenant's mail: its own entries, and those not read yet of addresses that it mailed.
select (select count(*) from split_entry e
         where e.tenant = $1
           and (e.state = 'owned'
                or e.state in ('assigned', 'kept') and e.spelling like '%@%'
                   and exists (select from ses_resource r
                                where r.tenant = e.tenant and r.kind = 'tenant' and r.state = 'applied'
                                  and not exists (select from split_stored x where x.list = r.name and x.spelling = e.spelling))
                   and exists (select from suppression s where s.tenant = e.tenant and s.hash = e.hash and s.removing_since is null)))::int
       + (select count(*) from split_entry e where e.state = 'listed' and e.rank < 2
             and exists (select from recipient r where r.hash = e.hash and r.tenant = $1))::int as open,
       (select count(*) from split_entry e where e.tenant = $1 and e.state = 'kept')::int as kept;

-- name: moved
-- Tenants that came from a shared account, with domains of their own, and what they share nevertheless: those that have a shared path
-- as well or moved from it, and those that were observed before they sent through us. Of what came on the account's list since the lists
-- were compared, the newest 50 are looked at: until the lists are compared that alone is missing.
with newest as materialized (
    select e.hash from split_entry e
     where e.state = 'listed' and e.rank < 2
       and (select compared_at from split order by ended_at is null desc, id desc limit 1) is not null
     order by e.rank, e.listed_at desc limit 50
)
select t.slug, count(distinct r.domain)::int as domains,
       exists (select from ses_resource s where s.tenant = t.id and s.kind = 'tenant' and s.observed ->> 'suppression_scope' <> 'TENANT') as account_scope,
       (select count(*) from split_entry e where e.tenant = t.id and e.state = 'owned')::int
         + (select count(*) from newest e where exists (select from recipient r where r.tenant = t.id and r.hash = e.hash))::int as open,
       (select count(*) from split_entry e where e.tenant = t.id and e.state = 'kept')::int as kept,
       (select count(*) from alert_channel c where c.removed_at is null and t.id = any (c.tenants))::int as channels,
       (select count(*) from alert_channel c where c.removed_at is null and c.tenants = '{}')::int as shared_channels
  from tenant t
  join lane l on l.tenant = t.id and l.retired_at is null
  join route r on r.lane = l.id and r.path = 'isolated' and r.share > 0
  join identity i on i.id = r.identity and i.status = 'verified'
 where t.retired_at is null and ($1::int is null or t.id = $1) and t.slug > $2
   and t.id in (select o.tenant from observed_rule o
                 union all select o.tenant from route o where o.path = 'shared'
                 union all select o.tenant from rollout o
                 union all select e.tenant from split_entry e where e.tenant is not null)
 group by t.id, t.slug order by t.slug limit $3;
