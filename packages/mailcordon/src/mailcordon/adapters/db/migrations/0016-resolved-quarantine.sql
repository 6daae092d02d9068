-- Quarantine gives back the room of what a replay settled (docs/observe.md, "Quarantine").

-- When a replay counted the document, or found that there is nothing to count. Null while it belongs in quarantine.
alter table quarantine add column resolved_at timestamptz;
update quarantine set resolved_at = replayed_at
 where replayed_at is not null and (why <> 'ungoverned' or copies = 1)
   and (resolution like 'counted: %' or resolution like 'nothing to do: %' or resolution like 'a notice or an event of a canary: %'
        or resolution like 'it belongs to another installation %');
create index quarantine_resolved on quarantine (resolved_at) where resolved_at is not null;
