-- Reading counts and quarantine.

-- name: metrics
-- By lane, provider or minute. A tenant has few slices.
select case $4 when 'lane' then l.id when 'provider' then m.provider::int else m.minute end as key,
       min(y.name) as type, min(l.class) as class,
       coalesce(sum(m.sent), 0) as sent, coalesce(sum(m.send_events), 0) as send_events, coalesce(sum(m.delivered), 0) as delivered,
       coalesce(sum(m.hard_bounced), 0) as hard_bounced, coalesce(sum(m.soft_bounced), 0) as soft_bounced, coalesce(sum(m.complained), 0) as complained,
       coalesce(sum(m.delayed), 0) as delayed, coalesce(sum(m.rejected), 0) as rejected, coalesce(sum(m.suppressed_at_ses), 0) as suppressed_at_ses,
       coalesce(sum(m.opened), 0) as opened, coalesce(sum(m.clicked), 0) as clicked, coalesce(sum(m.machine_opened), 0) as machine_opened,
       coalesce(sum(m.machine_clicked), 0) as machine_clicked, coalesce(sum(m.unclear), 0) as unclear, coalesce(sum(m.recipient_gone), 0) as recipient_gone,
       coalesce(sum(m.recipient_full), 0) as recipient_full, coalesce(sum(m.sender_reputation), 0) as sender_reputation, coalesce(sum(m.sender_auth), 0) as sender_auth,
       coalesce(sum(m.content), 0) as content, coalesce(sum(m.throttled), 0) as throttled, coalesce(sum(m.policy), 0) as policy,
       coalesce(sum(m.infrastructure), 0) as infrastructure, coalesce(sum(m.undetermined), 0) as undetermined
  from lane l
  join message_type y on y.id = l.type
  join slice s on s.lane = l.id
  join cohort_minute m on m.slice = s.id and m.provider = any ($2::smallint[]) and m.minute > now_ms() / 60000 - $3::int
 where l.tenant = $1 and ($5::text is null or y.name = $5)
 group by 1
having case $4 when 'lane' then l.id when 'provider' then m.provider::int else m.minute end > $6::int
 order by 1
 limit $7;

-- name: as_tenant
-- The tenant whose totals `own_lane_total` shows: for a platform key, which no row-level security limits.
select set_config('mailcordon.tenant', $1, true);

-- name: flows
-- What became of the mail of a tenant's lanes since the totals were as the window begins. One snapshot: the counts add up.
select l.id as key, y.name as type, l.class, nullif(b.at, 0) as since,
       coalesce(b.queued, 0) as queued_before, t.accepted - coalesce(b.accepted, 0) as accepted, t.sent - coalesce(b.sent, 0) as sent,
       t.refused - coalesce(b.refused, 0) as refused, t.expired - coalesce(b.expired, 0) as expired,
       t.cancelled - coalesce(b.cancelled, 0) as cancelled, t.given_up - coalesce(b.given_up, 0) as given_up,
       t.rejected - coalesce(b.rejected, 0) as rejected, t.no_outcome - coalesce(b.no_outcome, 0) as no_outcome, t.queued
  from own_lane_total t
  join lane l on l.id = t.lane
  join message_type y on y.id = l.type
  left join lateral (select * from lane_count c where c.lane = t.lane and c.at <= now_ms() - $1::bigint * 60000
                      order by c.at desc limit 1) b on true
 where ($2::text is null or y.name = $2) and l.id > $3::int
   and (t.accepted > coalesce(b.accepted, 0) or t.queued > 0
        or t.accepted - t.queued > coalesce(b.accepted - b.queued, 0))
 order by l.id
 limit $4;

-- name: holds_in_window
-- The newest holds that stopped mail of these lanes in the window.
select h.* from hold h
 where h.tenant = $1 and h.stops and (h.lifted_at is null or h.lifted_at > now_ms() - $3::bigint * 60000)
   and exists (select from lane l join message_type y on y.id = l.type
                where l.tenant = $1 and ($2::text is null or y.name = $2) and hold_covers(h, l.tenant, l.class, l.id))
 order by h.id desc limit 20;

-- name: stops_in_window
-- The newest stops that kept mail of these lanes in the window, as of the routes of now. Of a dispatcher's own: those of times in
-- which no dispatcher could call SES.
select s.* from stop s
 where s.id in (select o.id from lane l join message_type y on y.id = l.type
                 cross join lateral stops_on(l.id, now_ms() - $3::bigint * 60000) o
                 where l.tenant = $1 and ($2::text is null or y.name = $2))
    or s.scope = 'worker' and s.ended_at > now_ms() - $3::bigint * 60000
       and (select no_way_out(now_ms() - $3::bigint * 60000)) && stop_time(s)
 order by s.id desc limit 20;

-- name: quarantine_list
-- A page of the quarantine, newest first, without the documents, which may be large.
select q.id, q.why, q.detail, t.slug as tenant, q.source, q.copies, q.first_received_at, q.last_received_at, q.replayed_at,
       q.resolution, null::text as document, null::text[] as samples
  from quarantine q left join tenant t on t.id = q.tenant
 where ($1::text is null or q.why = $1) and ($2::bigint is null or q.id < $2)
 order by q.id desc
 limit $3;

-- name: quarantine_kinds
-- What each kind takes, may take, and could not take.
select why, entries, most_entries, bytes, most_bytes, keep_days, documents, not_kept from quarantine_kind order by why;

-- name: quarantine_entry
-- One entry with its document.
select q.id, q.why, q.detail, t.slug as tenant, q.source, q.copies, q.first_received_at, q.last_received_at, q.replayed_at,
       q.resolution, q.document, q.samples
  from quarantine q left join tenant t on t.id = q.tenant
 where q.id = $1;
