-- Findings belong to the look that sees them: a look that does not see one any more ends it.

alter table finding
    add row_kind text not null default '',                  -- the resource, or the list, that was read
    add row_name text not null default '',
    add touched_kind text not null default '',              -- what a management event about it names (control/hints.py)
    add touched_name text not null default '',
    add touched_member text not null default '',
    add tried boolean not null default false,               -- whether a call that repairs it was made
    add repair jsonb not null default '[]';                 -- the calls that repair it: [{kind, name, action, member, was, want}]
create index finding_of_row on finding (row_kind, row_name) where ended_at is null;
create index finding_ended on finding (ended_at) where ended_at is not null;

alter table ses_beside add accepted boolean not null default false;

-- The keys of a resource's open findings: kind, resource kind, resource, member.
create function open_findings(of_kind text, of_name text) returns jsonb language sql stable as $$
    select coalesce(jsonb_agg(jsonb_build_array(f.kind, f.resource_kind, f.resource, f.member)), '[]')
    from finding f where f.row_kind = of_kind and f.row_name = of_name and f.ended_at is null
$$;
revoke all on function open_findings(text, text) from public;
grant execute on function open_findings(text, text) to {{control}}, {{governor}};
