-- A claim of little mail in two round trips (docs/decisions/105): what is due is seen without locks, and taken in one statement if nothing of
-- it has changed. The statements of queue_store.sql and limited_claim.sql claim the same in a transaction, whatever there is.

-- name: see
-- The turns of these classes ($1) that are due, the first $3 of each, but for tenants ($2) that may not start a call now, and of each lane the
-- mail at its head ($4 at most) that `claim` would take: one row a mail, or one for a lane or a turn without any. `dead`: suppressed. The
-- attempt is the one that a claim makes of it. `took` is the server's time up to the row, in ms; `limits` as in `take_turns`.
select p.class, p.id as turn, p.tenant, l.id as lane, l.rate, l.tokens, l.tokens_at, l.released_at, l.expiry_ms,
       p.row, p.next_at, n.us, (select value from epoch where name = 'control') as epoch,
       (extract(epoch from clock_timestamp() - statement_timestamp()) * 1000)::float8 as took,
       (select v.value from limit_version v where v.tenant = p.tenant) as limits,
       m.id, m.mail, m.attempt, m.provider, m.campaign, m.list, m.hash, null::text as suppressed,
       m.hash is not null and (
           exists (select from suppression x where x.tenant = p.tenant and x.hash = m.hash
                    and (x.scope = 0 or x.scope = 1 and x.target = p.class or x.scope = 2 and x.target = l.id)
                    and (x.until is null or x.until > n.us / 1000))
           or exists (select from platform_suppression x where x.hash = m.hash and (x.class is null or x.class = p.class))) as dead
  from (select now_us() as us offset 0) n cross join unnest($1::smallint[]) c (class)
 cross join lateral (select t.ctid as row, t.id, t.class, t.tenant, t.next_at from turn t
                      where t.class = c.class and t.next_at is not null and t.next_at <= n.us and t.tenant <> all ($2::int[])
                      order by t.next_at limit $3::int) p
  left join lane l on l.turn = p.id and not l.held and not l.stopped
  left join lateral (select r.ctid as mail, r.id, (r.attempt + 1)::smallint as attempt, r.provider, r.campaign, r.list, r.hash
                       from ready r where r.lane = l.id and r.state = 0 and r.id >= first_id_at(n.us / 1000 - l.expiry_ms)
                      order by r.id limit $4::int) m on true
 order by p.class, p.next_at, p.id, l.id, m.id;

-- name: take
-- Takes what was seen, and returns recipients and content of the messages ($30, between $31 and $32), of urgent ones if $33, of others if
-- $34; of a content of more than $35 bytes, only its size. At least one row, which says whether it was taken. $36: limits in shadow mode count it.
with c as materialized (
    select x.taken, case when x.taken and $36::boolean then count_shadow($17::text::int[], $18::text::int[], $2::bigint / 1000) end as over
      from (
    select claim_seen($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24,
                      $25, $26, $27, $28, $29) as taken offset 0) x
)
select c.taken, m.id, m.recipients, m.path, m.other_path as others, case when m.bytes > $35::int then m.bytes else 0 end as large,
       case when m.bytes > $35 then null
            else coalesce(case when $34 then (select o.body from content o where o.id = m.id and o.id between $31 and $32) end,
                          case when $33 then (select u.body from urgent_content u where u.id = m.id) end) end as body
  from c left join message m on c.taken and coalesce(c.over, 0) >= 0 and m.id = any ($30::bigint[]) and m.id between $31 and $32;
