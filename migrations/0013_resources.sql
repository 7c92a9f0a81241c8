-- Hooks of git hosts, answers that are kept for repeats of a request, and who wrote a prompt.

CREATE TABLE webhooks (
    webhook_id       uuid PRIMARY KEY,
    workspace_id     uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    repository_id    uuid NOT NULL REFERENCES repositories ON DELETE CASCADE,
    provider         text NOT NULL CHECK (provider IN ('github', 'gitlab', 'gitea')),
    -- Its secret is derived from the installation's key, its identifier and this number: none is stored.
    generation       integer NOT NULL DEFAULT 1 CHECK (generation >= 1),
    created_at       timestamptz NOT NULL DEFAULT now(),
    -- The secret before is good for a day more.
    renewed_at       timestamptz,
    -- The last delivery with a good signature, and how it was answered.
    last_delivery_at timestamptz,
    last_status      integer
);
CREATE INDEX webhooks_by_repository ON webhooks (repository_id, created_at);

-- What was delivered already: a replayed delivery starts nothing.
CREATE TABLE webhook_deliveries (
    webhook_id  uuid NOT NULL REFERENCES webhooks ON DELETE CASCADE,
    -- The sender's id, or a hash of the body.
    delivery    text COLLATE "C" NOT NULL CHECK (length(delivery) BETWEEN 1 AND 200),
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (webhook_id, delivery)
);

-- What a creating request made, for a repeat with the same key within a day. Written with what was made, in one
-- transaction, so that a gateway that dies before it answers makes nothing twice.
CREATE TABLE idempotency_keys (
    user_id      uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    key          text COLLATE "C" NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    -- SHA-256 of the operation, its path and its body.
    request_hash bytea NOT NULL CHECK (length(request_hash) = 32),
    -- Identifiers that the answer is made of.
    made         jsonb NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

ALTER TABLE prompt_versions ADD COLUMN author_id uuid REFERENCES users ON DELETE SET NULL;

-- The runs of a whole workspace, newest first.
CREATE INDEX runs_by_workspace ON runs (workspace_id, created_at DESC, run_id);
-- Which pages cite a file.
CREATE INDEX citations_by_path ON citations (document_id, path);
