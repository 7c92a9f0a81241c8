-- Credentials for git hosts. The gateway writes them; what is in the box only the cloner can read.

CREATE TABLE credentials (
    credential_id uuid PRIMARY KEY,
    workspace_id  uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    -- Shown to people.
    name          text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    kind          text NOT NULL CHECK (kind IN ('token', 'ssh_key', 'authority')),
    -- The only `host:port` it is shown to; part of what the box is sealed for.
    host          text NOT NULL CHECK (length(host) BETWEEN 3 AND 300),
    -- Sealed to the cloner's public key.
    sealed        bytea NOT NULL CHECK (length(sealed) BETWEEN 58 AND 100000),
    created_at    timestamptz NOT NULL DEFAULT now(),
    replaced_at   timestamptz,
    UNIQUE (workspace_id, name),
    -- For the reference below.
    UNIQUE (workspace_id, credential_id)
);

-- A repository can only use a credential of its own workspace, and goes on without it when it is deleted.
ALTER TABLE repositories ADD COLUMN credential_id uuid;
ALTER TABLE repositories ADD CONSTRAINT repositories_credential
    FOREIGN KEY (workspace_id, credential_id) REFERENCES credentials (workspace_id, credential_id)
    ON DELETE SET NULL (credential_id);
CREATE INDEX repositories_by_credential ON repositories (credential_id) WHERE credential_id IS NOT NULL;
