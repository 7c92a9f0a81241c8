-- Where a name is defined, whatever its case: who searches for a name wants that place first.
CREATE INDEX symbols_by_name ON symbols (workspace_id, lower(name), file_version_id) WHERE kind NOT IN ('heading', 'impl');
