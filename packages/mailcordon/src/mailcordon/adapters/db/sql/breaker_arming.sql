-- What arming the breaker for a lane depends on (guard/arming.py), as the control role.

-- name: arming
-- What arming a lane depends on: the wish, the policy, the last proof that counts, its events and its ends. $2: the day ago, $3 and $4:
-- the first and last whole six hours (minutes since 1970) of mail older than a day.
select l.id as lane, l.tenant, b.wish, b.lost_since,
       p.document, l.class, proof_parts(l.id) as parts_now,
       o.id as proof, o.ended_at, o.proved, o.because, o.parts,
       (select min(s.first_minute) from slice s where s.lane = l.id) as first_minute,
       coalesce(e.events, 0)::bigint as events, coalesce(w.sent, 0)::bigint as sent, coalesce(w.ended, 0)::bigint as ended,
       (select count(*) from breaker_decision d
         where d.lane = l.id and d.level = 3 and d.mode <> 'enforce' and d.at > now_ms() - 1209600000 and d.accepted_at is null) as cordons
  from lane l
  left join breaker_lane b on b.lane = l.id
  left join lane_policy p on p.lane = l.id
  left join lateral (select * from proof x where x.lane = l.id and x.counts order by x.id desc limit 1) o on true
  left join lateral (
       select sum(coalesce(c.send_events, 0) + coalesce(c.delivered, 0) + coalesce(c.hard_bounced, 0) + coalesce(c.soft_bounced, 0)
                  + coalesce(c.complained, 0) + coalesce(c.rejected, 0)) as events
         from generate_series($2::int, $2::int + 8 * 1440, 1440) g (minute)
        cross join (values (true), (false)) i (isolated)
        cross join lateral (select x.* from cohort_lane x
                             where x.span = 1440 and x.minute = g.minute and x.lane = l.id and x.isolated = i.isolated limit 1) c) e on true
  left join lateral (
       select sum(coalesce(c.sent, 0)) as sent,
              sum(least(coalesce(c.sent, 0), coalesce(c.delivered, 0) + coalesce(c.hard_bounced, 0) + coalesce(c.soft_bounced, 0)
                        + coalesce(c.rejected, 0) + coalesce(c.suppressed_at_ses, 0))) as ended
         from generate_series($3::int, $4::int, 360) g (minute)
        cross join (values (true), (false)) i (isolated)
        cross join lateral (select x.* from cohort_lane x
                             where x.span = 360 and x.minute = g.minute and x.lane = l.id and x.isolated = i.isolated limit 1) c) w on true
 where l.id = any ($1::int[]);

-- name: stray
-- Events of the last 7 days that name these tenants and contradict our records.
select q.tenant, sum(q.copies)::bigint as stray from quarantine q
 where q.tenant = any ($1::int[]) and q.why in ('disagreement', 'double', 'unknown-delivery') and q.resolved_at is null
   and q.last_received_at > to_timestamp((now_ms() - 604800000) / 1000.0)
 group by q.tenant;
