-- Tables that the cloner writes.

CREATE TABLE clone_inbox (
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
CREATE INDEX clone_inbox_by_run ON clone_inbox (run_id);

-- The pinned commit of a run and the whole plan, written before the first publish; the first cloner to insert wins.
CREATE TABLE snapshots (
    run_id        uuid PRIMARY KEY REFERENCES runs ON DELETE CASCADE,
    workspace_id  uuid NOT NULL,
    repository_id uuid NOT NULL REFERENCES repositories ON DELETE CASCADE,
    ref           text NOT NULL,
    commit_oid    bytea NOT NULL CHECK (length(commit_oid) = 20),
    tree_oid      bytea NOT NULL CHECK (length(tree_oid) = 20),
    committed_at  timestamptz NOT NULL,
    -- The plan stopped at a limit: the rest of the tree is not listed.
    truncated     boolean NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX snapshots_by_repository ON snapshots (repository_id);

CREATE TABLE snapshot_files (
    run_id          uuid NOT NULL REFERENCES snapshots ON DELETE CASCADE,
    workspace_id    uuid NOT NULL,
    repository_id   uuid NOT NULL,
    path            text COLLATE "C" NOT NULL,
    file_version_id uuid NOT NULL,
    oid             bytea NOT NULL CHECK (length(oid) = 20),
    -- As git stores it: 33188 regular, 33261 executable, 40960 symlink, 57344 submodule.
    mode            integer NOT NULL,
    size            bigint NOT NULL,
    -- The batch it travels in; NULL if it is known already or skipped.
    batch           integer,
    -- Why it never travels: too_large, symlink, submodule, bad_path, …
    skip_reason     text,
    PRIMARY KEY (run_id, path),
    CHECK (batch IS NULL OR skip_reason IS NULL)
);
CREATE INDEX snapshot_files_by_version ON snapshot_files (file_version_id);

CREATE TABLE clone_runs (
    run_id       uuid PRIMARY KEY REFERENCES snapshots ON DELETE CASCADE,
    workspace_id uuid NOT NULL,
    lane         text NOT NULL,
    batches      integer NOT NULL,
    files        integer NOT NULL,
    known        integer NOT NULL,
    skipped      integer NOT NULL,
    bytes        bigint NOT NULL
);
