-- Templates for mail (docs/templates.md). Times are milliseconds since 1970.

create table template (
    id int generated always as identity primary key,
    tenant int references tenant,                           -- null: the platform's, for every tenant
    name text not null check (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'),
    latest int not null default 0,                          -- the number of the newest version
    made_at bigint not null,
    made_by text not null,
    retired_at bigint,                                      -- no message can name it; its versions are kept
    retired_by text,
    unique nulls not distinct (tenant, name),
    check ((retired_at is null) = (retired_by is null))
);
create index template_name on template (name);

-- Never changed: a message that names a version is made the same for the same data.
create table template_version (
    template int not null references template,
    version int not null check (version > 0),
    tenant int references tenant,                           -- as of its template
    dialect text not null check (dialect in ('jinja', 'ses')),
    subject text not null,
    text text,                                              -- null: derived from the HTML
    html text,
    mjml text,
    compiled text,                                          -- the HTML that the MJML became when it was stored
    parts jsonb not null default '{}',                      -- {name: source} of what the others include
    bytes int not null,                                     -- of all sources
    made_at bigint not null,
    made_by text not null,
    because text,
    primary key (template, version),
    check (text is not null or html is not null or mjml is not null),
    check ((mjml is null) = (compiled is null)),
    check (html is null or mjml is null)
);
create index template_version_of on template_version (tenant);

grant select, insert, update on template to {{control}};
grant select, insert on template_version to {{control}};
-- A tenant sees its own and the platform's, which it can use.
grant select on template, template_version to {{reader}};
do $$
declare t text;
begin
    foreach t in array array['template', 'template_version'] loop
        execute format('alter table %I enable row level security', t);
        execute format('create policy own_tenant on %I for select to {{reader}} using (tenant is null or tenant = nullif(current_setting(''mailcordon.tenant'', true), '''')::int)', t);
        execute format('create policy planes on %I to {{control}} using (true) with check (true)', t);
    end loop;
end $$;
