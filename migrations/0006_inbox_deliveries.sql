-- Deliveries that began and have not ended with a word: their process died. Repeated deliveries are counted here when
-- they begin; a counted attempt, a hand-back or a lost lease sets it to zero again.
ALTER TABLE clone_inbox ADD COLUMN IF NOT EXISTS open_deliveries integer NOT NULL DEFAULT 0;
ALTER TABLE chunk_inbox ADD COLUMN IF NOT EXISTS open_deliveries integer NOT NULL DEFAULT 0;
ALTER TABLE embed_inbox ADD COLUMN IF NOT EXISTS open_deliveries integer NOT NULL DEFAULT 0;
ALTER TABLE document_inbox ADD COLUMN IF NOT EXISTS open_deliveries integer NOT NULL DEFAULT 0;
