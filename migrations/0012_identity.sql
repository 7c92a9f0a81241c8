-- Who may do what, and who did what: sign-in by a provider, sessions, scoped tokens, and an audit log that grows only.

ALTER TABLE users
    -- Whether the provider says the role at each sign-in, or an administrator has set it here.
    ADD COLUMN role_source  text NOT NULL DEFAULT 'local' CHECK (role_source IN ('provider', 'local')),
    ADD COLUMN last_seen_at timestamptz,
    -- Counts the changes: the entity tag.
    ADD COLUMN revision     integer NOT NULL DEFAULT 1;
CREATE INDEX users_by_age ON users (workspace_id, created_at DESC, user_id);

ALTER TABLE tokens
    -- What the token may do at most, whatever its user may. Those made before may do all of that.
    ADD COLUMN scopes       text[] NOT NULL DEFAULT '{read,write,admin}'
        CHECK (cardinality(scopes) BETWEEN 1 AND 3 AND scopes <@ '{read,write,admin}'::text[]),
    -- Written at most once a minute.
    ADD COLUMN last_used_at timestamptz;
CREATE INDEX tokens_by_user ON tokens (user_id, created_at DESC, token_id);

-- A person who has signed in. The cookie says no more than which row this is.
CREATE TABLE sessions (
    session_id   uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    user_id      uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    -- The token that it was opened with: it has the same scopes and ends with it. NULL: the provider.
    token_id     uuid REFERENCES tokens ON DELETE CASCADE,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id, created_at DESC, session_id);
CREATE INDEX sessions_by_token ON sessions (token_id);
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- Each row holds the hash of itself and of the row before: a changed, removed or inserted row breaks the chain. Kept
-- when the users it names are gone, so nothing hangs on them.
CREATE TABLE audit_entries (
    workspace_id uuid NOT NULL REFERENCES workspaces,
    sequence     bigint NOT NULL CHECK (sequence >= 1),
    entry_id     uuid NOT NULL UNIQUE,
    occurred_at  timestamptz NOT NULL,
    -- NULL: nobody who is signed in.
    actor        uuid,
    actor_name   text NOT NULL,
    action       text NOT NULL,
    object_kind  text NOT NULL,
    object_id    text NOT NULL,
    -- JSON as it was hashed; jsonb would write it anew.
    detail       text NOT NULL CHECK (detail IS JSON),
    ip           text,
    hash         bytea NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (workspace_id, sequence)
);
CREATE INDEX audit_entries_by_age ON audit_entries (workspace_id, occurred_at DESC, entry_id DESC);
CREATE INDEX audit_entries_by_object ON audit_entries (workspace_id, object_id, occurred_at DESC);

-- The services' role has no right to do it; this is for the owner, by accident.
CREATE FUNCTION audit_entries_grow_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_entries grows only' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_entries_grow_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION audit_entries_grow_only();
