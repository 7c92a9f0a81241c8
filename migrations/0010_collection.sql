-- The snapshots that are kept of each repository: those of working runs, the latest one, and the latest one whose run
-- can be searched and read. Everything that only other snapshots list is collected.
CREATE VIEW kept_snapshots AS
SELECT run_id, repository_id
FROM (
    SELECT s.run_id, s.repository_id,
           r.ended_at IS NULL AS working,
           row_number() OVER (PARTITION BY s.repository_id ORDER BY r.created_at DESC, s.run_id DESC) = 1 AS latest,
           r.state IN ('indexed', 'completed', 'completed_with_errors')
               AND row_number() OVER (
                   PARTITION BY s.repository_id, r.state IN ('indexed', 'completed', 'completed_with_errors')
                   ORDER BY r.created_at DESC, s.run_id DESC) = 1 AS readable
    FROM snapshots s JOIN runs r USING (run_id)
) AS ranked
WHERE working OR latest OR readable;
