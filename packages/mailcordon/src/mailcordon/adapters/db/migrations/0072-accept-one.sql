-- A mail that comes alone costs a third less if it does not pay for a statement that takes a whole batch (docs/decisions/101).

-- Accepts one message to one recipient, or nothing of it: the twin of the statement `accept` in accept_store.sql, which says what `ok`
-- means. Each step has a later snapshot than the one before. So the lock that a retirement waits for comes before the epoch is read, as a
-- retirement needs it (lifecycle_store.sql, `seal`), and the turn is read last, when the transaction has its id (docs/decisions/003).
create function accept_one(
    the_epoch bigint, the_node int, the_message bigint, the_delivery bigint, the_tenant int, the_class int, the_lane int, the_turn int,
    the_path text, the_sender text, the_recipient text, the_hash bytea, the_provider int, the_campaign text, the_list text, the_api_key int,
    the_tags text, the_likeness int, the_others bigint, the_content bytea, the_key bytea, the_body bytea,
    out epoch bigint, out now bigint, out ok boolean, out held boolean
) language plpgsql as $$
declare
    suppressed boolean;
begin
    ok := false;
    held := false;
    lock table idempotency in row exclusive mode;
    select e.value, now_ms(),
           exists (select from suppression s where s.tenant = the_tenant and s.hash = the_hash
                    and (s.scope = 0 or s.scope = 1 and s.target = the_class or s.scope = 2 and s.target = the_lane)
                    and (s.until is null or s.until > now_ms()))
           or exists (select from platform_suppression p where p.hash = the_hash and (p.class is null or p.class = the_class))
      into epoch, now, suppressed from epoch e where e.name = 'control';
    if epoch <> the_epoch or suppressed then
        return;
    end if;
    if the_key is not null then
        insert into idempotency (tenant, key, body, message) values (the_tenant, the_key, the_body, the_message) on conflict do nothing;
        if not found then
            return;
        end if;
    end if;
    insert into message (id, tenant, lane, path, from_address, recipients, campaign, list, bytes, api_key, tags, alike, other_path)
    values (the_message, the_tenant, the_lane, the_path, the_sender, array[the_recipient], the_campaign, the_list,
            octet_length(the_content), the_api_key, the_tags::jsonb, the_likeness, the_others);
    if the_class = 0 then
        insert into urgent_content (id, body) values (the_message, the_content);
    else
        insert into content (id, body) values (the_message, the_content);
    end if;
    insert into recipient (tenant, hash, id) values (the_tenant, the_hash, the_delivery);
    insert into ready (lane, id, tenant, provider, hash, campaign, list)
    values (the_lane, the_delivery, the_tenant, the_provider, the_hash, the_campaign, the_list);
    update lane_intake i set deliveries = i.deliveries + 1, bytes = i.bytes + octet_length(the_content)
     where i.lane = the_lane and i.node = the_node;
    if not found then
        insert into lane_intake (lane, node, deliveries, bytes) values (the_lane, the_node, 1, octet_length(the_content));
    end if;
    -- Whether every lane is stopped is asked only if something besides lanes is.
    select l.held or l.stopped or exists (select from stop s where s.ended_at is null and s.scope in ('cell', 'worker'))
      into held from lane l where l.id = the_lane;
    if held then
        select l.held or l.stopped or every_lane_stopped() into held from lane l where l.id = the_lane;
    end if;
    -- As wake_turns, which takes many turns.
    update turn t set next_at = now_us() where t.id = the_turn and (t.next_at is null or t.next_at > now_us());
    if found then
        perform turns_hint(1 << the_class);
    end if;
    ok := true;
end $$;
revoke all on function accept_one(bigint, int, bigint, bigint, int, int, int, int, text, text, text, bytea, int, text, text, int, text, int,
    bigint, bytea, bytea, bytea) from public;
grant execute on function accept_one(bigint, int, bigint, bigint, int, int, int, int, text, text, text, bytea, int, text, text, int, text, int,
    bigint, bytea, bytea, bytea) to {{send}};
