-- Plans end and are deleted (docs/operations.md, Retention), large ones are applied in parts; a MAIL FROM can be given back to SES.

create index plan_ended on plan (ended_at) where ended_at is not null;
create index finding_of_plan on finding (plan) where plan is not null;

-- True: a plan chose the MAIL FROM, SES's own as well. Else what SES has is left as it is.
alter table identity add column mail_from_chosen boolean not null default false;
update identity set mail_from_chosen = true where mail_from is not null;

-- The new tenants of a large plan that is being applied, whose rows are still to be written.
alter table plan add column later text[] not null default '{}';
create index plan_in_parts on plan (id) where later <> '{}';
