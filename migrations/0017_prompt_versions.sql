-- A document says which version it was written with, so a version must stay what it was. Versions go with their
-- template, and a version outlives its author.
CREATE FUNCTION prompt_versions_never_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a prompt version never changes: add the next one' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER prompt_versions_never_change BEFORE UPDATE ON prompt_versions
    FOR EACH ROW
    WHEN (NEW.author_id IS NOT NULL OR (to_jsonb(NEW) - 'author_id') IS DISTINCT FROM (to_jsonb(OLD) - 'author_id'))
    EXECUTE FUNCTION prompt_versions_never_change();
