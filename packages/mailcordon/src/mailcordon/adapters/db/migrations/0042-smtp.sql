-- Submission by SMTP: one more role, which has the login of the data plane only.

alter table role_health drop constraint role_health_role_check;
alter table role_health add constraint role_health_role_check check (role in ('api', 'dispatch', 'observe', 'control', 'smtp'));

-- It looks keys up itself, and says which were used.
grant update (last_used_at) on api_key to {{send}};
