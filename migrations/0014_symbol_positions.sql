-- The order of a run's symbol index, while its pages are written: each page is a range of it instead of another sort of
-- everything that the snapshot declares. Made by whoever needs it first, gone when the document has ended.
CREATE TABLE symbol_positions (
    run_id          uuid NOT NULL REFERENCES runs ON DELETE CASCADE,
    position        integer NOT NULL,
    workspace_id    uuid NOT NULL,
    file_version_id uuid NOT NULL,
    ordinal         integer NOT NULL,
    PRIMARY KEY (run_id, position)
);
