-- Reads that grew with a tenant's past.

-- The holds that were lifted since a message was accepted: every look at a delivery asks for them. Before, all holds that the
-- tenant ever had were read and sorted.
create index hold_lifted on hold (tenant, lifted_at) where lifted_at is not null;
