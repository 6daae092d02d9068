-- Mail that a narrow hold stops.

-- name: park
-- Defers what holds on a campaign, a list or a mailbox provider stop among the next $3 of each lane. Returns by lane how many
-- were looked at, how many of those stay, and the last one. $4 to $10 are the holds, in the order of their ids.
with h as materialized (
    select * from unnest($4::bigint[], $5::smallint[], $6::int[], $7::smallint[], $8::text[], $9::text[], $10::text[])
                    with ordinality u (hold, class, lane, provider, campaign, list, sentence, n)
), x as materialized (
    select r.lane, r.id, (select h.n from h where (h.class is null or h.class = u.class) and (h.lane is null or h.lane = r.lane)
                             and (h.provider is null or h.provider = r.provider) and (h.campaign is null or h.campaign = r.campaign)
                             and (h.list is null or h.list = r.list) order by h.n limit 1) as n
      from unnest($1::int[], $2::bigint[], $11::smallint[]) u (lane, start, class)
     cross join lateral (select ready.lane, ready.id, ready.provider, ready.campaign, ready.list from ready
                          where ready.lane = u.lane and ready.id >= u.start and ready.state = 0 order by ready.id limit $3) r
), p as materialized (
    select queue_defer(array_agg(x.lane order by x.lane, x.id), array_agg(x.id order by x.lane, x.id), null, null,
                       array_agg(3::smallint), null, array_agg(h.hold order by x.lane, x.id),
                       array_agg(h.sentence order by x.lane, x.id), array_agg('held'::text), null, 1) as parked
      from x join h on h.n = x.n having count(*) > 0
)
select lane, count(*)::int as seen, count(*) filter (where n is null)::int as stay, max(id) as last,
       coalesce((select parked from p), 0) as parked
  from x group by lane;
