-- Two repositories of 20,000 files each, with three chunks and five symbols per file. Words are as common as their number is
-- small: `w1` is in every chunk, `w100` in every hundredth.
INSERT INTO workspaces (workspace_id, name) VALUES (md5('w')::uuid, 'large');
INSERT INTO repositories (repository_id, workspace_id, name, url)
    SELECT md5('r' || r)::uuid, md5('w')::uuid, 'large', 'https://git.example/' || r FROM generate_series(1, 2) r;
INSERT INTO runs (run_id, workspace_id, repository_id, ref, state, analyser, embedding_model)
    SELECT md5('r' || r)::uuid, md5('w')::uuid, md5('r' || r)::uuid, 'main', 'completed', 'a', 'm' FROM generate_series(1, 2) r;
INSERT INTO snapshots (run_id, workspace_id, repository_id, ref, commit_oid, tree_oid, committed_at, truncated)
    SELECT run_id, workspace_id, repository_id, 'main', decode(repeat('07', 20), 'hex'), decode(repeat('07', 20), 'hex'),
        now(), false FROM runs WHERE workspace_id = md5('w')::uuid;
INSERT INTO snapshot_files (run_id, workspace_id, repository_id, path, file_version_id, oid, mode, size)
    SELECT md5('r' || r)::uuid, md5('w')::uuid, md5('r' || r)::uuid, 'src/d' || f / 50 || '/f' || f || '.rs',
        md5(r || '/' || f)::uuid, decode(repeat('01', 20), 'hex'), 33188, 1
    FROM generate_series(1, 2) r, generate_series(1, 20000) f;
INSERT INTO file_versions (file_version_id, analyser, workspace_id, repository_id, path, oid, language, category, encoding,
        lines, source_lines, parse_quality)
    SELECT file_version_id, 'a', workspace_id, repository_id, path, oid, 'rust', 'source', 'utf-8', 90, 90, 'full'
    FROM snapshot_files WHERE workspace_id = md5('w')::uuid;
INSERT INTO symbols (file_version_id, analyser, ordinal, workspace_id, kind, name, qualified, signature, doc, visibility,
        exported, start_line, end_line, start_byte, end_byte)
    SELECT md5(r || '/' || f)::uuid, 'a', s, md5('w')::uuid, 'function', 'name' || (f * 5 + s) % 70001,
        'name' || (f * 5 + s) % 70001, '', '', 'private', false, s * 9, s * 9 + 5, 0, 0
    FROM generate_series(1, 2) r, generate_series(1, 20000) f, generate_series(0, 4) s;
INSERT INTO embedded_versions (file_version_id, analyser, model, workspace_id, repository_id, chunks)
    SELECT file_version_id, 'a', 'm', workspace_id, repository_id, 3 FROM file_versions WHERE workspace_id = md5('w')::uuid;
INSERT INTO chunks (file_version_id, analyser, model, ordinal, workspace_id, repository_id, path, language, kind, scope,
        symbol, start_line, end_line, content, lexemes, embedding)
    SELECT md5(r || '/' || f)::uuid, 'a', 'm', o, md5('w')::uuid, md5('r' || r)::uuid, 'src/d' || f / 50 || '/f' || f || '.rs',
        'rust', 'code', '', '', o * 30, o * 30 + 29, repeat('let name = value; ', 20),
        array_to_tsvector(ARRAY(SELECT 'w' || w FROM generate_series(1, 100) w WHERE (f * 3 + o) % w = 0)),
        array_fill(0.0625::real, ARRAY[256])::halfvec(256)
    FROM generate_series(1, 2) r, generate_series(1, 20000) f, generate_series(0, 2) o;
ANALYZE;
