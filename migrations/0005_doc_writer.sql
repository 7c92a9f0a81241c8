-- Tables that the doc-writer writes.

CREATE TABLE document_inbox (
    work_id      uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    run_id       uuid NOT NULL,
    attempts     integer NOT NULL DEFAULT 0,
    -- Deliveries that began and have not ended with a word: their process died.
    open_deliveries integer NOT NULL DEFAULT 0,
    outcome      text CHECK (outcome IN ('done', 'rejected')),
    detail       text,
    updated_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX document_inbox_by_run ON document_inbox (run_id);

-- The two halves that a run's documents wait for.
CREATE TABLE document_runs (
    run_id         uuid PRIMARY KEY REFERENCES runs ON DELETE CASCADE,
    workspace_id   uuid NOT NULL,
    analysed       boolean NOT NULL DEFAULT false,
    indexed        boolean NOT NULL DEFAULT false,
    failure_reason text
);

CREATE TABLE documents (
    document_id   uuid PRIMARY KEY,
    workspace_id  uuid NOT NULL,
    repository_id uuid NOT NULL REFERENCES repositories ON DELETE CASCADE,
    run_id        uuid NOT NULL REFERENCES runs ON DELETE CASCADE,
    title         text NOT NULL,
    -- structural or template.
    writer        text NOT NULL,
    -- The template as it was asked for; NULL for structural.
    template      jsonb,
    state         text NOT NULL,
    -- Why a document of a template was written structurally, or why it failed.
    notice        text,
    requested_at  timestamptz NOT NULL DEFAULT now(),
    completed_at  timestamptz
);
CREATE INDEX documents_by_run ON documents (run_id);
CREATE INDEX documents_by_repository ON documents (repository_id, requested_at DESC);

CREATE TABLE pages (
    document_id        uuid NOT NULL REFERENCES documents ON DELETE CASCADE,
    slug               text COLLATE "C" NOT NULL,
    workspace_id       uuid NOT NULL,
    -- Order in the table of contents.
    position           integer NOT NULL,
    parent             text,
    title              text NOT NULL,
    -- overview, module, api, symbols, report, template, …
    kind               text NOT NULL,
    -- What the page is about: a module's slug, …
    subject            text NOT NULL DEFAULT '',
    -- requested, published or failed.
    state              text NOT NULL DEFAULT 'requested',
    failure_reason     text,
    published_revision integer,
    PRIMARY KEY (document_id, slug)
);

CREATE TABLE revisions (
    document_id  uuid NOT NULL,
    slug         text COLLATE "C" NOT NULL,
    number       integer NOT NULL,
    workspace_id uuid NOT NULL,
    markdown     text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (document_id, slug, number),
    FOREIGN KEY (document_id, slug) REFERENCES pages ON DELETE CASCADE
);

CREATE TABLE citations (
    document_id  uuid NOT NULL,
    slug         text COLLATE "C" NOT NULL,
    number       integer NOT NULL,
    ordinal      integer NOT NULL,
    workspace_id uuid NOT NULL,
    path         text NOT NULL,
    oid          bytea NOT NULL CHECK (length(oid) = 20),
    start_line   integer NOT NULL,
    end_line     integer NOT NULL,
    PRIMARY KEY (document_id, slug, number, ordinal),
    FOREIGN KEY (document_id, slug, number) REFERENCES revisions ON DELETE CASCADE,
    CHECK (start_line >= 1 AND end_line >= start_line)
);

-- The ledger: written before a call leaves, completed with the answer before the answer is used. The same request
-- is never paid for twice.
CREATE TABLE llm_calls (
    request_hash  bytea PRIMARY KEY CHECK (length(request_hash) = 32),
    workspace_id  uuid NOT NULL,
    repository_id uuid NOT NULL REFERENCES repositories ON DELETE CASCADE,
    run_id        uuid NOT NULL,
    document_id   uuid NOT NULL,
    slug          text NOT NULL,
    purpose       text NOT NULL,
    model         text NOT NULL,
    state         text NOT NULL CHECK (state IN ('sent', 'done', 'failed')),
    response      text,
    stop_reason   text,
    input_tokens  bigint,
    output_tokens bigint,
    -- What left the house: [{"path": …, "start_line": …, "end_line": …, "redactions": …}]
    sources       jsonb NOT NULL,
    error         text,
    sent_at       timestamptz NOT NULL DEFAULT now(),
    ended_at      timestamptz
);
