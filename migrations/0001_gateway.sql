-- Tables that the gateway writes. Other services only read them (and hang foreign keys on them).

CREATE TABLE workspaces (
    workspace_id uuid PRIMARY KEY,
    name         text NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 100),
    created_at   timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE users (
    user_id      uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    display_name text NOT NULL,
    -- tid:oid for Entra ID; NULL for the local administrator of the embedded mode.
    external_id  text UNIQUE,
    role         text NOT NULL CHECK (role IN ('viewer', 'author', 'maintainer', 'admin', 'auditor')),
    active       boolean NOT NULL DEFAULT true,
    created_at   timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE tokens (
    token_id     uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    user_id      uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    name         text NOT NULL,
    -- SHA-256 of the secret part.
    secret_hash  bytea NOT NULL UNIQUE CHECK (length(secret_hash) = 32),
    expires_at   timestamptz NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE repositories (
    repository_id uuid PRIMARY KEY,
    workspace_id  uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    name          text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    -- Without credentials.
    url           text NOT NULL CHECK (length(url) BETWEEN 1 AND 2000),
    -- Empty: the remote's HEAD.
    ref           text NOT NULL DEFAULT '',
    created_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (workspace_id, url, ref)
);
CREATE INDEX repositories_by_age ON repositories (workspace_id, created_at DESC, repository_id);

CREATE TABLE prompt_templates (
    template_id  uuid PRIMARY KEY,
    -- NULL: built in, visible to every workspace.
    workspace_id uuid REFERENCES workspaces ON DELETE CASCADE,
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    description  text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (workspace_id, name)
);

-- Immutable: an edit is a new row with the next number.
CREATE TABLE prompt_versions (
    template_version_id uuid PRIMARY KEY,
    template_id         uuid NOT NULL REFERENCES prompt_templates ON DELETE CASCADE,
    number              integer NOT NULL CHECK (number >= 1),
    system              text NOT NULL,
    body                text NOT NULL,
    created_at          timestamptz NOT NULL DEFAULT now(),
    UNIQUE (template_id, number)
);

CREATE TABLE runs (
    run_id          uuid PRIMARY KEY,
    workspace_id    uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    repository_id   uuid NOT NULL REFERENCES repositories ON DELETE CASCADE,
    ref             text NOT NULL,
    state           text NOT NULL,
    -- Fixed at the start of the run.
    analyser        text NOT NULL,
    embedding_model text NOT NULL,
    -- Facts, each set once by the projector.
    commit_oid      bytea,
    failure_code    text,
    failure_reason  text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    ended_at        timestamptz,
    -- Given out under the row's lock; the SSE id.
    last_sequence   bigint NOT NULL DEFAULT 0
);
CREATE INDEX runs_by_age ON runs (workspace_id, repository_id, created_at DESC, run_id);
-- One waiting and one working run per ref.
CREATE UNIQUE INDEX runs_one_queued ON runs (repository_id, ref) WHERE state = 'queued';
CREATE UNIQUE INDEX runs_one_active ON runs (repository_id, ref)
    WHERE state IN ('pending', 'cloning', 'cloned', 'analysed', 'indexed');

-- What a run was asked to write. The doc-writer has its own row for each; these end through transitions.
CREATE TABLE run_documents (
    document_id         uuid PRIMARY KEY,
    workspace_id        uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    run_id              uuid NOT NULL REFERENCES runs ON DELETE CASCADE,
    title               text NOT NULL,
    -- NULL: structural.
    template_version_id uuid REFERENCES prompt_versions,
    style               text NOT NULL DEFAULT '',
    output_language     text NOT NULL DEFAULT 'en',
    model               text NOT NULL DEFAULT '',
    -- What to retrieve for the template; empty: its name.
    query               text NOT NULL DEFAULT '',
    state               text NOT NULL DEFAULT 'requested',
    pages               integer,
    failed_pages        integer,
    failure_reason      text
);
CREATE INDEX run_documents_by_run ON run_documents (run_id);

-- What happened to a run, in the order readers see it. `transition` names the fact once per run.
CREATE TABLE run_events (
    run_id       uuid NOT NULL REFERENCES runs ON DELETE CASCADE,
    sequence     bigint NOT NULL,
    workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    transition   text NOT NULL,
    occurred_at  timestamptz NOT NULL,
    payload      jsonb NOT NULL,
    PRIMARY KEY (run_id, sequence),
    UNIQUE (run_id, transition)
);

-- What an HTTP request wants to say on the bus: nothing redelivers a request, so it is written with its effects.
CREATE TABLE outbox (
    outbox_id       uuid PRIMARY KEY,
    workspace_id    uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    run_id          uuid NOT NULL REFERENCES runs ON DELETE CASCADE,
    -- Name of the message in the contract table (`clone.requested`).
    kind            text NOT NULL,
    body            bytea NOT NULL,
    traceparent     text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    not_before      timestamptz NOT NULL DEFAULT now(),
    failed_attempts integer NOT NULL DEFAULT 0
);
CREATE INDEX outbox_due ON outbox (not_before, outbox_id);
