-- Tables that the embedder writes.

CREATE EXTENSION IF NOT EXISTS vector;

CREATE TABLE embed_inbox (
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
CREATE INDEX embed_inbox_by_run ON embed_inbox (run_id);

-- A file version is embedded by this analyser and model, with zero chunks too. The first insert wins and alone
-- writes the chunks.
CREATE TABLE embedded_versions (
    file_version_id uuid NOT NULL,
    analyser        text NOT NULL,
    model           text NOT NULL,
    workspace_id    uuid NOT NULL,
    repository_id   uuid NOT NULL REFERENCES repositories ON DELETE CASCADE,
    chunks          integer NOT NULL,
    PRIMARY KEY (file_version_id, analyser, model)
);
CREATE INDEX embedded_versions_by_repository ON embedded_versions (repository_id);

CREATE TABLE chunks (
    file_version_id uuid NOT NULL,
    analyser        text NOT NULL,
    model           text NOT NULL,
    ordinal         integer NOT NULL,
    workspace_id    uuid NOT NULL,
    repository_id   uuid NOT NULL,
    path            text NOT NULL,
    language        text NOT NULL,
    kind            text NOT NULL,
    scope           text NOT NULL,
    symbol          text NOT NULL,
    start_line      integer NOT NULL,
    end_line        integer NOT NULL,
    content         text NOT NULL,
    lexemes         tsvector NOT NULL,
    -- NULL if the text has no word that the model knows: cosine is undefined there.
    embedding       halfvec(256),
    PRIMARY KEY (file_version_id, analyser, model, ordinal),
    FOREIGN KEY (file_version_id, analyser, model) REFERENCES embedded_versions ON DELETE CASCADE
);
-- 520 bytes a row: keep it in the row.
ALTER TABLE chunks ALTER COLUMN embedding SET STORAGE PLAIN;
CREATE INDEX chunks_by_repository ON chunks (repository_id);
CREATE INDEX chunks_by_lexeme ON chunks USING gin (lexemes);

CREATE TABLE embed_runs (
    run_id         uuid PRIMARY KEY REFERENCES runs ON DELETE CASCADE,
    workspace_id   uuid NOT NULL,
    -- NULL until chunks.listed arrives.
    batches        integer,
    failure_code   text,
    failure_reason text,
    -- When the last batch came in.
    indexed_at     timestamptz
);

CREATE TABLE chunk_batches (
    run_id         uuid NOT NULL REFERENCES embed_runs ON DELETE CASCADE,
    batch          integer NOT NULL,
    workspace_id   uuid NOT NULL,
    failure_reason text,
    PRIMARY KEY (run_id, batch)
);
