-- What proves that the Send event of a call is absent (docs/decisions/017).

-- The latest call for which this is certain: all that was in the queue when its Send event was stored is stored. The absence of an
-- older call's Send event is proved by this, not by `called_at`: events are stored in any order.
alter table send_seen add column proved_called_at bigint not null default 0;
-- A dispatcher corrects what is ahead of the clock after the clock was set back.
grant update (called_at, proved_called_at) on send_seen to {{send}};
grant update (probe_at) on stop to {{send}};
grant update (next_try_at, observed_at) on ses_resource to {{send}};

-- How far each observer of a queue is, reported only while an unknown outcome waits for a proof. One that failed or went silent may
-- have taken messages with it, so the others wait until those are visible again.
create table observer (
    queue text not null,
    id text not null,                                       -- of one process's pipeline
    beat bigint not null,                                   -- the last report
    live_since bigint not null,                             -- since when no receive or commit failed
    stored_before bigint not null,                          -- all that was received before is stored
    ended boolean not null,                                 -- stopped in an orderly way
    primary key (queue, id)
);
grant select, insert, update, delete on observer to {{observe}};
grant select on observer to {{control}}, {{governor}}, {{send}};

-- Configuration sets that a lane's route had before. A dead dispatcher does not say which set its calls used: if the route changed
-- since, the absence has to be proved for the earlier set too.
create table route_before (
    lane int not null,
    path text not null,
    configuration_set text not null,
    until bigint not null                                   -- when the route changed
);
create index route_before_of_lane on route_before (lane, until);
grant select on route_before to {{control}}, {{governor}}, {{send}}, {{observe}};
grant insert, delete on route_before to {{control}};
create function keep_route_before() returns trigger language plpgsql as $$
begin
    insert into route_before (lane, path, configuration_set, until) values (old.lane, old.path, old.configuration_set, now_ms());
    return null;
end $$;
create trigger route_set_changed after update on route for each row
    when (old.configuration_set <> new.configuration_set) execute function keep_route_before();
create trigger route_deleted after delete on route for each row execute function keep_route_before();

-- The configuration sets that a call may have used: the one that was recorded with it, else those of the lane's routes; and those
-- that a route lost since the call. Ten seconds earlier, because a route is read before the call and changed before its commit.
create function call_sets(recorded text, of_lane int, called bigint) returns setof text language sql stable as $$
    select recorded where recorded is not null
    union
    select configuration_set from route where recorded is null and lane = of_lane
    union
    select configuration_set from route_before where lane = of_lane and until > called - 10000
$$;
revoke all on function call_sets(text, int, bigint) from public;
grant execute on function call_sets(text, int, bigint) to {{send}}, {{observe}};
