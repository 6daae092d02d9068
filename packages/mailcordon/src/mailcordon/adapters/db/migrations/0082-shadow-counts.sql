-- What limits in shadow mode would have held is counted where their mail is counted (docs/decisions/113).

-- Right after a claim has counted that many mails ($2) in rows of limit_use ($1), which it has locked: of what leaves, what is beyond the
-- cap of a shadow limit. As `count_shadow` of guard/limits/admission.py. Returns how many limits are over.
create function count_shadow(uses int[], counts int[], at bigint) returns int language plpgsql as $$
declare
    n int;
begin
    insert into limit_shadow as s (send_limit, tenant, mails, first_at, last_at)
    select l.id, l.tenant, least(u.n, c.counted - l.cap), at, at
      from unnest(uses, counts) u (use, n)
      join limit_use x on x.id = u.use
      join send_limit l on l.use = x.id and l.mode = 'shadow'
     cross join lateral (
          select case l.per when 'minute' then x.in_minute when 'hour' then x.in_hour when 'day' then x.in_day else x.ever end) c (counted)
     where c.counted > l.cap order by l.id
    on conflict (send_limit) do update set mails = s.mails + excluded.mails, last_at = excluded.last_at;
    get diagnostics n = row_count;
    return n;
end $$;
revoke all on function count_shadow(int[], int[], bigint) from public;
grant execute on function count_shadow(int[], int[], bigint) to {{send}};
