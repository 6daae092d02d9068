-- The role `dashboard` reports as the others do.
alter table role_health drop constraint role_health_role_check;
alter table role_health add constraint role_health_role_check
    check (role in ('api', 'dispatch', 'observe', 'control', 'smtp', 'dashboard'));
