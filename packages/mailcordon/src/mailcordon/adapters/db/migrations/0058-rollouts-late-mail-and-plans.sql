-- What rollouts need beyond 0052: how late mail of each path is, and the plan that drops the old one (docs/migration.md).

-- Of the delivery. Observers of before know one path.
alter table delivery_time_change add column path text not null default 'isolated';

-- Times of delivery by path, of lanes in a rollout. A bucket is `span` minutes from `minute` on, as in `delivery_time`.
create table path_time (
    lane int not null,
    span int not null,
    minute int not null,
    path text not null,
    provider smallint not null,
    tenant int not null,
    counts int[] not null,                                  -- by class of time
    primary key (lane, span, minute, path, provider)
) with (fillfactor = 80);
grant select, insert, update, delete on path_time to {{control}};

-- That drops the old path, of a rollout that is being finished.
alter table rollout add column plan int;
