-- The generation of a dead letter that was sent again and for which the rejection before it was forgotten. The deliveries
-- that follow find it and are not rejected for the old reason, however the first of them ended.
ALTER TABLE clone_inbox    ADD COLUMN retried_generation integer NOT NULL DEFAULT 0;
ALTER TABLE chunk_inbox    ADD COLUMN retried_generation integer NOT NULL DEFAULT 0;
ALTER TABLE embed_inbox    ADD COLUMN retried_generation integer NOT NULL DEFAULT 0;
ALTER TABLE document_inbox ADD COLUMN retried_generation integer NOT NULL DEFAULT 0;

-- No statement looks chunks up by repository, and every chunk paid for it.
DROP INDEX chunks_by_repository;
