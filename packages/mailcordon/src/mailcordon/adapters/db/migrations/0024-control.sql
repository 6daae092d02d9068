-- Plans end and are deleted (docs/operations.md, Retention); a MAIL FROM can be given back to SES.

create index plan_ended on plan (ended_at) where ended_at is not null;
create index finding_of_plan on finding (plan) where plan is not null;

-- True: a plan chose the MAIL FROM, SES's own as well. Else what SES has is left as it is.
alter table identity add column mail_from_chosen boolean not null default false;
update identity set mail_from_chosen = true where mail_from is not null;
