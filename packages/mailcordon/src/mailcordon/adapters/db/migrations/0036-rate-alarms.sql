-- Rates above their ceiling (docs/decisions/043-rate-alarms.md). A row lasts as long as its alarm: whoever reads the alarms next, after
-- a restart or in another process, goes on with the same onset and the same cause. What was is in `incident`.
create table rate_alarm (
    lane int not null references lane,
    signal text not null check (signal in ('bounces', 'complaints')),
    part text not null default '' check (part in ('', 'list', 'campaign', 'provider')),     -- '': the whole lane
    value text not null default '',                         -- the list, campaign or provider
    since bigint not null,                                  -- the estimated onset, milliseconds since 1970
    raised_at bigint not null,
    primary key (lane, signal, part, value)
);
grant select, insert, delete on rate_alarm to {{control}};
