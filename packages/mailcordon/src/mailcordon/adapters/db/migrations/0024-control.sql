-- Plans end and are deleted (docs/operations.md, Retention).

create index plan_ended on plan (ended_at) where ended_at is not null;
create index finding_of_plan on finding (plan) where plan is not null;
