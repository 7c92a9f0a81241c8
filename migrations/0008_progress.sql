-- When anything was last heard of a run, by the clock of the database: what the sweeper goes by. Stages' clocks may
-- disagree.
ALTER TABLE runs ADD COLUMN progressed_at timestamptz NOT NULL DEFAULT now();
CREATE INDEX runs_by_progress ON runs (progressed_at) WHERE ended_at IS NULL;
