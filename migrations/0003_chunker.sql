-- Tables that the chunker writes.

CREATE TABLE chunk_inbox (
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
CREATE INDEX chunk_inbox_by_run ON chunk_inbox (run_id);

-- The analysis of one file version by one analyser. Immutable: the first insert wins and alone writes the children.
CREATE TABLE file_versions (
    file_version_id uuid NOT NULL,
    analyser        text NOT NULL,
    workspace_id    uuid NOT NULL,
    repository_id   uuid NOT NULL REFERENCES repositories ON DELETE CASCADE,
    path            text NOT NULL,
    oid             bytea NOT NULL CHECK (length(oid) = 20),
    language        text NOT NULL,
    category        text NOT NULL,
    encoding        text NOT NULL,
    lines           integer NOT NULL,
    source_lines    integer NOT NULL,
    parse_quality   text NOT NULL,
    skip_reason     text,
    -- A parsed Cargo.toml, package.json, …
    manifest        jsonb,
    -- Decoded text, zstd; NULL if skipped. Pages quote from it and the source view shows it.
    text_zstd       bytea,
    PRIMARY KEY (file_version_id, analyser)
);
CREATE INDEX file_versions_by_repository ON file_versions (repository_id);

CREATE TABLE symbols (
    file_version_id uuid NOT NULL,
    analyser        text NOT NULL,
    ordinal         integer NOT NULL,
    workspace_id    uuid NOT NULL,
    parent          integer,
    kind            text NOT NULL,
    name            text NOT NULL,
    qualified       text NOT NULL,
    signature       text NOT NULL,
    doc             text NOT NULL,
    visibility      text NOT NULL,
    exported        boolean NOT NULL,
    start_line      integer NOT NULL,
    end_line        integer NOT NULL,
    start_byte      integer NOT NULL,
    end_byte        integer NOT NULL,
    PRIMARY KEY (file_version_id, analyser, ordinal),
    FOREIGN KEY (file_version_id, analyser) REFERENCES file_versions ON DELETE CASCADE
);

CREATE TABLE imports (
    file_version_id uuid NOT NULL,
    analyser        text NOT NULL,
    ordinal         integer NOT NULL,
    workspace_id    uuid NOT NULL,
    raw             text NOT NULL,
    module          text NOT NULL,
    -- [{"name": …, "alias": …}]
    names           jsonb NOT NULL,
    kind            text NOT NULL,
    line            integer NOT NULL,
    PRIMARY KEY (file_version_id, analyser, ordinal),
    FOREIGN KEY (file_version_id, analyser) REFERENCES file_versions ON DELETE CASCADE
);

CREATE TABLE refs (
    file_version_id uuid NOT NULL,
    analyser        text NOT NULL,
    ordinal         integer NOT NULL,
    workspace_id    uuid NOT NULL,
    name            text NOT NULL,
    receiver        text,
    kind            text NOT NULL,
    -- Ordinal of the symbol around it.
    enclosing       integer,
    -- Of the first such mention; `count` says how many there are.
    line            integer NOT NULL,
    count           integer NOT NULL,
    PRIMARY KEY (file_version_id, analyser, ordinal),
    FOREIGN KEY (file_version_id, analyser) REFERENCES file_versions ON DELETE CASCADE
);

-- Fan-in: the run's row is locked first, then completeness is asked in a later statement.
CREATE TABLE chunk_runs (
    run_id         uuid PRIMARY KEY REFERENCES runs ON DELETE CASCADE,
    workspace_id   uuid NOT NULL,
    -- NULL until files.listed arrives.
    batches        integer,
    failure_code   text,
    failure_reason text,
    linked_at      timestamptz
);

CREATE TABLE file_batches (
    run_id         uuid NOT NULL REFERENCES chunk_runs ON DELETE CASCADE,
    batch          integer NOT NULL,
    workspace_id   uuid NOT NULL,
    failure_reason text,
    PRIMARY KEY (run_id, batch)
);

-- Resolution depends on other files, so edges, modules and ranks hang on the run.
CREATE TABLE edges (
    run_id       uuid NOT NULL REFERENCES chunk_runs ON DELETE CASCADE,
    ordinal      integer NOT NULL,
    workspace_id uuid NOT NULL,
    src_path     text NOT NULL,
    -- Ordinal of the symbol in its file version; NULL for the file itself.
    src_symbol   integer,
    dst_path     text NOT NULL,
    dst_symbol   integer,
    kind         text NOT NULL,
    tier         smallint NOT NULL,
    -- Of the first mention; `count` says how many there are.
    line         integer NOT NULL,
    count        integer NOT NULL,
    PRIMARY KEY (run_id, ordinal)
);

CREATE TABLE modules (
    run_id       uuid NOT NULL REFERENCES chunk_runs ON DELETE CASCADE,
    slug         text COLLATE "C" NOT NULL,
    workspace_id uuid NOT NULL,
    name         text NOT NULL,
    parent       text,
    -- Directory; empty for the top.
    path         text NOT NULL,
    PRIMARY KEY (run_id, slug)
);

CREATE TABLE module_files (
    run_id       uuid NOT NULL REFERENCES chunk_runs ON DELETE CASCADE,
    path         text COLLATE "C" NOT NULL,
    workspace_id uuid NOT NULL,
    module       text NOT NULL,
    -- Share of the PageRank over the file graph; sums to 1 in a run.
    rank         double precision NOT NULL,
    PRIMARY KEY (run_id, path)
);

CREATE TABLE external_dependencies (
    run_id       uuid NOT NULL REFERENCES chunk_runs ON DELETE CASCADE,
    path         text COLLATE "C" NOT NULL,
    package      text COLLATE "C" NOT NULL,
    workspace_id uuid NOT NULL,
    count        integer NOT NULL,
    PRIMARY KEY (run_id, path, package)
);
