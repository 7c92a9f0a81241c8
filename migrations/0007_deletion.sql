-- A deleted repository takes every row with it.

-- Set by the request; the rows go in the background.
ALTER TABLE repositories ADD COLUMN deleting_at timestamptz;
-- While the old rows go, the same address can be added anew.
ALTER TABLE repositories DROP CONSTRAINT repositories_workspace_id_url_ref_key;
CREATE UNIQUE INDEX repositories_one_per_address ON repositories (workspace_id, url, ref) WHERE deleting_at IS NULL;
CREATE INDEX repositories_deleting ON repositories (deleting_at) WHERE deleting_at IS NOT NULL;

-- A command about a repository belongs to none of its runs.
ALTER TABLE outbox ALTER COLUMN run_id DROP NOT NULL;
ALTER TABLE outbox ADD COLUMN repository_id uuid REFERENCES repositories ON DELETE CASCADE;
ALTER TABLE outbox ADD CONSTRAINT outbox_about_one CHECK (num_nonnulls(run_id, repository_id) = 1);

-- The inboxes of runs that are gone. An insert for such a run is refused from now on: its work is cancelled.
DELETE FROM clone_inbox WHERE NOT EXISTS (SELECT FROM runs WHERE runs.run_id = clone_inbox.run_id);
DELETE FROM chunk_inbox WHERE NOT EXISTS (SELECT FROM runs WHERE runs.run_id = chunk_inbox.run_id);
DELETE FROM embed_inbox WHERE NOT EXISTS (SELECT FROM runs WHERE runs.run_id = embed_inbox.run_id);
DELETE FROM document_inbox WHERE NOT EXISTS (SELECT FROM runs WHERE runs.run_id = document_inbox.run_id);
ALTER TABLE clone_inbox ADD FOREIGN KEY (run_id) REFERENCES runs ON DELETE CASCADE;
ALTER TABLE chunk_inbox ADD FOREIGN KEY (run_id) REFERENCES runs ON DELETE CASCADE;
ALTER TABLE embed_inbox ADD FOREIGN KEY (run_id) REFERENCES runs ON DELETE CASCADE;
ALTER TABLE document_inbox ADD FOREIGN KEY (run_id) REFERENCES runs ON DELETE CASCADE;

-- Each cascade looks for its rows by these columns alone.
CREATE INDEX runs_by_repository ON runs (repository_id);
CREATE INDEX outbox_by_run ON outbox (run_id);
CREATE INDEX outbox_by_repository ON outbox (repository_id);
CREATE INDEX llm_calls_by_repository ON llm_calls (repository_id);
