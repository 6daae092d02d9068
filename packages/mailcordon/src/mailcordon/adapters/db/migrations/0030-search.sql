-- Searching messages (docs/decisions/037-search.md). What the search needs is an index of each day's partition, and each was chosen
-- for what it costs accepting and sending.

-- Which mail went to an address. With the hash first it is found for one tenant and, with a platform key, for all of them at once.
alter table recipient drop constraint recipient_pkey;
alter table recipient add primary key (hash, tenant, id);

-- A lane's mail, newest first. A row is put at the end of its lane's range, so it costs little.
create index message_of_lane on message (lane, id);
-- Named by few messages, mostly marketing. No hash of the name: row-level security lets only comparisons of plain columns choose an
-- index's order.
create index message_of_campaign on message (campaign, tenant, id) where campaign is not null;
create index message_of_list on message (list, tenant, id) where list is not null;

-- What did not go well: none of these has a row for mail that was just sent and delivered. The tenant comes before the time, so that
-- what a tenant looks for is found at once, however much of the kind others have.
create index ledger_not_sent on ledger (state, tenant, coalesce(reason, ''), id) where state <> 20;
create index event_not_delivered on event (kind, tenant, delivery) where kind in (1, 2, 4, 5, 6, 7, 10);

-- SES's id contains the time at which SES accepted the mail (ses.md 3.1), so rows of that time are looked at, and the id is compared.
create index ledger_by_call on ledger using brin (called_at) with (pages_per_range = 16, autosummarize = on);
create index send_event_by_time on send_event using brin (at) with (pages_per_range = 16, autosummarize = on);
