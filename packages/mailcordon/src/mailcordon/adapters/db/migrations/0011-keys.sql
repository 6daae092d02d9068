-- Keys that are narrower than a scope, that rotate with an overlap, and that mint no more than they hold.

alter table api_key
    add types text[] check (types <> '{}'),                      -- the message types it may send and cancel; null: all
    add networks cidr[] not null default '{}',                   -- client addresses it works from; empty: any
    add messages_per_second float8 check (messages_per_second > 0),   -- of this and the next two: null: the installation's default
    add bytes_per_second float8 check (bytes_per_second > 0),
    add reads_per_second float8 check (reads_per_second > 0),
    add last_used_at timestamptz,                                -- at most a minute or so behind
    add also_mints text[] not null default '{}'                  -- scopes it may give to other keys without holding them
        check (also_mints <@ array['send', 'read', 'operate', 'admin']),
    add succeeds int references api_key;                         -- the key that it replaces, which ends after an overlap

-- Until here, admin could mint any scope. The keys that hold it keep that; keys made from now on mint what they hold.
update api_key set also_mints = array(select unnest(array['send', 'read', 'operate', 'admin']) except select unnest(scopes))
 where tenant is null and 'admin' = any (scopes);
create index key_succeeds on api_key (succeeds) where succeeds is not null;

-- Of the key that signed attempt tags before the present one: mail on its way proves itself with it. Null: given up, or none yet.
alter table installation
    add former_mac_key bytea,                                    -- encrypted as mac_key is
    add mac_rotated_at timestamptz;
