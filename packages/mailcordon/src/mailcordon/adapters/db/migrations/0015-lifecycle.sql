-- Retirement: a lane, a domain or a tenant that takes no new mail, and whose resources at SES go once nothing needs them any more
-- (docs/control.md, "Retiring"). Rows stay: events that arrive later are attributed by them.

-- A lane is retiring from `retiring_at` on, which is when it stops taking mail, and retired from `retired_at` on. In between its mail
-- leaves or is cancelled, and SES reports what became of it.
alter table lane
    add retiring_at timestamptz,
    add retire_mail text check (retire_mail in ('drain', 'cancel')),
    add retired_with text check (retired_with in ('lane', 'domain', 'tenant')),  -- what was retired; unretiring it brings the lane back
    add sealed_at timestamptz,                              -- no transaction that began before `retiring_at` can add mail any more
    add drained_at timestamptz,                             -- the queue was empty, and no outcome unknown
    add constraint lane_retirement check (
        (retiring_at is null) = (retire_mail is null) and (retiring_at is null) = (retired_with is null)
        and (retiring_at is not null or sealed_at is null and drained_at is null));
update lane set retiring_at = retired_at, retire_mail = 'drain', retired_with = 'lane', sealed_at = retired_at, drained_at = retired_at
 where retired_at is not null;
create index lane_retiring on lane (id) where retiring_at is not null and retired_at is null;

-- A domain is retired when its last lane is.
alter table identity
    add retiring_at timestamptz,
    add retired_at timestamptz,
    add retired_with text check (retired_with in ('domain', 'tenant')),
    add constraint identity_retirement check (
        (retiring_at is null) = (retired_with is null) and (retired_at is null or retiring_at is not null));
create index identity_retiring on identity (id) where retiring_at is not null and retired_at is null;

-- And a tenant when its last lane is.
alter table tenant add retiring_at timestamptz;
update tenant set retiring_at = retired_at where retired_at is not null;
create index tenant_retiring on tenant (id) where retiring_at is not null and retired_at is null;
