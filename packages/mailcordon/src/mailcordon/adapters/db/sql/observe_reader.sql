-- Reading quarantine.

-- name: quarantine_list
-- A page of the quarantine, newest first, without the documents, which may be large.
select q.id, q.why, q.detail, t.slug as tenant, q.source, q.copies, q.first_received_at, q.last_received_at, q.replayed_at,
       q.resolution, null::text as document, null::text[] as samples
  from quarantine q left join tenant t on t.id = q.tenant
 where ($1::text is null or q.why = $1) and ($2::bigint is null or q.id < $2)
 order by q.id desc
 limit $3;

-- name: quarantine_kinds
-- What each kind takes, may take, and could not take.
select why, entries, most_entries, bytes, most_bytes, keep_days, documents, not_kept from quarantine_kind order by why;

-- name: quarantine_entry
-- One entry with its document.
select q.id, q.why, q.detail, t.slug as tenant, q.source, q.copies, q.first_received_at, q.last_received_at, q.replayed_at,
       q.resolution, q.document, q.samples
  from quarantine q left join tenant t on t.id = q.tenant
 where q.id = $1;
