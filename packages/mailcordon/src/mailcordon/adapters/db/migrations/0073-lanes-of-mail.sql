-- Mail stays in a lane of its own tenant, as before. A foreign key proved it row by row and locked the lane's row each time. Now it is
-- proved once for each statement (docs/decisions/101).
--
-- That is a proof because a lane's tenant never changes, and a lane with mail is never deleted: both are refused below.

create function mail_of_its_tenant() returns trigger language plpgsql as $$
declare
    wrong record;
begin
    if exists (select from new_rows n where not exists (select from lane l where l.id = n.lane and l.tenant = n.tenant)) then
        select n.id, n.lane, n.tenant into wrong from new_rows n
         where not exists (select from lane l where l.id = n.lane and l.tenant = n.tenant) limit 1;
        raise foreign_key_violation
            using message = format('mail %s in %s names lane %s, which is no lane of tenant %s', wrong.id, tg_table_name, wrong.lane, wrong.tenant);
    end if;
    return null;
end $$;

-- Nothing moves mail to another lane.
create function mail_keeps_its_lane() returns trigger language plpgsql as $$
begin
    raise foreign_key_violation using message = format('mail %s in %s keeps its lane and its tenant', old.id, tg_table_name);
end $$;

create function lane_keeps_its_tenant() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' then
        raise foreign_key_violation using message = format('lane %s keeps its id and its tenant', old.id);
    end if;
    if exists (select from message m where m.lane = old.id) or exists (select from ready r where r.lane = old.id) then
        raise foreign_key_violation using message = format('lane %s has mail, so it cannot be deleted', old.id);
    end if;
    return old;
end $$;

create trigger lane_keeps_its_tenant before update of id, tenant on lane for each row
    when (new.id <> old.id or new.tenant <> old.tenant) execute function lane_keeps_its_tenant();
create trigger lane_with_mail_stays before delete on lane for each row execute function lane_keeps_its_tenant();

create trigger message_of_its_tenant after insert on message referencing new table as new_rows
    for each statement execute function mail_of_its_tenant();
create trigger message_keeps_its_lane before update of lane, tenant on message for each row
    when (new.lane <> old.lane or new.tenant <> old.tenant) execute function mail_keeps_its_lane();
alter table message drop constraint message_tenant_lane_fkey;

create trigger ready_of_its_tenant after insert on ready referencing new table as new_rows
    for each statement execute function mail_of_its_tenant();
create trigger ready_keeps_its_lane before update of lane, tenant on ready for each row
    when (new.lane <> old.lane or new.tenant <> old.tenant) execute function mail_keeps_its_lane();
alter table ready drop constraint ready_tenant_lane_fkey;
