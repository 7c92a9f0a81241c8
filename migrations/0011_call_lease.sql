-- While a call to the model is out, whoever made it holds it: another copy of the same work waits instead of paying
-- again. Both are NULL when nobody asks. A holder that died keeps others away until `lease_until`.
ALTER TABLE llm_calls ADD COLUMN holder uuid;
ALTER TABLE llm_calls ADD COLUMN lease_until timestamptz;
