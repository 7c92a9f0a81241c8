//! Passages of snapshots for a question: what defines the names in it first, then what is near in meaning and in words.
//!
//! - **Names.** Where a name of the question is defined (a symbol, or a file) comes before everything else: in the program
//!   before tests, in the same spelling before another case, a type or function before a field.
//! - **Words.** PostgreSQL's own ranks do not know how rare a word is, so each word is looked up by itself. A word weighs
//!   ln(1 + files / chunks that hold it), in millionths, so that sums are the same in any order; a chunk's share is what
//!   the words in it have of the question's weight.
//! - **Score.** Three quarters cosine, one quarter share, over the best of both. This beat every fusion by rank that was
//!   tried. Tests, settings and data count less than the program.
//! - **A floor.** If nothing is named, the best chunk must have a given share, or be near enough and hold at least one word.
//!   Otherwise the answer is empty.
//!
//! `bench/search` measures it all.

use caffeine_model::{Oid, RepositoryId, RunId, WorkspaceId};
use pgvector::HalfVector;
use uuid::Uuid;

use crate::{Store, StoreError};

/// A name inside a question counts if it has at most so many places: `Cargo.toml` says little where there are twenty.
const MOST_PLACES: i64 = 6;

/// A question.
#[derive(Debug, Clone)]
pub struct PassageQuery {
    /// Its words as the lexical index has them; letters and digits only.
    pub words: Vec<String>,
    /// What it names.
    pub names: Vec<PassageName>,
    /// Whether it is a name and nothing else.
    pub is_name: bool,
    /// Its vector; `None` if the model knows no word of it.
    pub vector: Option<Vec<f32>>,
    /// How many passages to return at most.
    pub limit: u32,
}

/// A name in a question.
#[derive(Debug, Clone)]
pub struct PassageName {
    /// Its last part: `search` of `Store::search`.
    pub last: String,
    /// All of it with dots between the parts, in lower case.
    pub qualified: String,
    /// The end of a path that it may be, in lower case.
    pub file: String,
}

/// A chunk of a file of the snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct PassageRow {
    /// The file.
    pub path: String,
    /// Its content.
    pub oid: Oid,
    /// Its language.
    pub language: String,
    /// First line of the chunk.
    pub start_line: u32,
    /// Last line, inclusive.
    pub end_line: u32,
    /// The text.
    pub content: String,
}

/// Where to look.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place {
    /// In the latest indexed snapshot of one repository, or of all.
    Latest(Option<RepositoryId>),
    /// In the snapshot of a run, whatever its state.
    Run(RunId),
}

/// How to look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// How many neighbours of each kind are looked at.
    pub neighbours: i64,
    /// What a page written for people counts, beside 1 for the program.
    pub docs: f64,
    /// Nothing is found if the best chunk holds less than this share of the question's weight …
    pub least_share: f64,
    /// … and either holds no word of it or none comes as near as this cosine.
    pub least_cosine: f64,
}

/// A chunk that was found, with all that is known of it.
pub(crate) struct Found {
    pub repository_id: Uuid,
    pub run_id: Uuid,
    pub path: String,
    pub oid: Vec<u8>,
    pub language: String,
    pub category: String,
    pub kind: String,
    pub scope: String,
    pub symbol: String,
    pub start_line: i32,
    pub end_line: i32,
    pub content: String,
    pub defines: bool,
    pub score: f64,
}

impl Store {
    /// The passages of a snapshot that answer a question best, best first. A file of the program counts twice as much
    /// as one written for people.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn passages_for(
        &self,
        workspace: WorkspaceId,
        run: RunId,
        query: &PassageQuery,
    ) -> Result<Vec<PassageRow>, StoreError> {
        // What is asked is how to fill a prompt, so anything is better than nothing.
        let rules = Rules { neighbours: 300, docs: 0.5, least_share: 0.0, least_cosine: -1.0 };
        let found = self.find(workspace, Place::Run(run), query, rules).await?;
        let row = |found: Found| {
            Ok(PassageRow {
                path: found.path,
                oid: Oid::from_bytes(&found.oid).map_err(|error| StoreError::corrupt("oid", error))?,
                language: found.language,
                start_line: found.start_line.unsigned_abs(),
                end_line: found.end_line.unsigned_abs(),
                content: found.content,
            })
        };
        found.into_iter().map(row).collect()
    }

    /// The beginnings of the most important files of the program, most important first: what to show when the question
    /// finds too little.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn leading_passages(
        &self,
        workspace: WorkspaceId,
        run: RunId,
        analyser: &str,
        model: &str,
        limit: u32,
    ) -> Result<Vec<PassageRow>, StoreError> {
        sqlx::query!(
            "SELECT s.path, s.oid, k.language, k.start_line, k.end_line, k.content FROM snapshot_files s \
             JOIN module_files m ON m.run_id = s.run_id AND m.path = s.path \
             JOIN file_versions f ON f.file_version_id = s.file_version_id AND f.analyser = $3 \
             JOIN chunks k ON k.file_version_id = s.file_version_id AND k.analyser = $3 AND k.model = $4 \
             WHERE s.run_id = $1 AND s.workspace_id = $2 AND f.category = 'source' AND k.ordinal < 3 \
             ORDER BY m.rank DESC, s.path, k.ordinal LIMIT $5",
            run.as_uuid(),
            workspace.as_uuid(),
            analyser,
            model,
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(|row| {
            Ok(PassageRow {
                path: row.path,
                oid: Oid::from_bytes(&row.oid).map_err(|error| StoreError::corrupt("oid", error))?,
                language: row.language,
                start_line: row.start_line.unsigned_abs(),
                end_line: row.end_line.unsigned_abs(),
                content: row.content,
            })
        })
        .collect()
    }

    /// The best chunks for a question, the best first. Vectors have length 1, so the inner product orders like the cosine.
    /// The index finds what holds any word in one pass; which words those are is asked of the rows.
    pub(crate) async fn find(
        &self,
        workspace: WorkspaceId,
        place: Place,
        query: &PassageQuery,
        rules: Rules,
    ) -> Result<Vec<Found>, StoreError> {
        let (repository, run) = match place {
            Place::Latest(repository) => (repository, None),
            Place::Run(run) => (None, Some(run)),
        };
        // Quoted, so that no character of a word is an operator.
        let words: Vec<String> =
            query.words.iter().map(|word| format!("'{}'", word.replace(['\'', '\\'], ""))).collect();
        let name =
            |part: fn(&PassageName) -> &String| -> Vec<String> { query.names.iter().map(part).cloned().collect() };
        let (last, qualified, file) = (name(|name| &name.last), name(|name| &name.qualified), name(|name| &name.file));
        let most_places = if query.is_name { i64::MAX } else { MOST_PLACES };
        let vector = query.vector.as_deref().map(HalfVector::from_f32_slice);
        Ok(sqlx::query_as!(
            Found,
            r#"WITH latest AS MATERIALIZED (
                   SELECT DISTINCT ON (repository_id) repository_id, run_id, analyser, embedding_model
                   FROM runs JOIN repositories USING (repository_id, workspace_id)
                   WHERE workspace_id = $1 AND deleting_at IS NULL AND ($2::uuid IS NULL OR repository_id = $2)
                     AND (run_id = $3 OR $3::uuid IS NULL AND state IN ('indexed', 'completed', 'completed_with_errors'))
                   ORDER BY repository_id, runs.created_at DESC, run_id DESC
               ),
               visible AS MATERIALIZED (
                   SELECT s.file_version_id, l.analyser, l.embedding_model, l.run_id, s.path, s.oid
                   FROM latest l JOIN snapshot_files s USING (run_id)
                   WHERE s.skip_reason IS NULL
               ),
               dense AS MATERIALIZED (
                   SELECT c.file_version_id, c.ordinal, c.embedding <#> $4::halfvec AS distance
                   FROM chunks c
                   JOIN visible v ON v.file_version_id = c.file_version_id AND v.analyser = c.analyser
                                 AND v.embedding_model = c.model
                   WHERE $4::halfvec IS NOT NULL AND c.embedding IS NOT NULL
                   ORDER BY distance, v.path, c.ordinal LIMIT $9
               ),
               asked AS MATERIALIZED (SELECT word, word::tsquery AS query FROM unnest($5::text[]) AS w (word)),
               holding AS MATERIALIZED (
                   SELECT a.word, c.file_version_id, c.ordinal, c.path
                   FROM (
                       SELECT c.file_version_id, c.ordinal, v.path, c.lexemes
                       FROM chunks c
                       JOIN visible v ON v.file_version_id = c.file_version_id AND v.analyser = c.analyser
                                     AND v.embedding_model = c.model
                       WHERE $15 <> '' AND c.lexemes @@ $15::text::tsquery
                       OFFSET 0
                   ) c
                   JOIN asked a ON c.lexemes @@ a.query
               ),
               weighed AS MATERIALIZED (
                   SELECT a.word, a.query,
                          round(1e6 * ln(1 + (SELECT count(*) FROM visible) / greatest(h.chunks, 0.5)))::bigint AS weight
                   FROM asked a LEFT JOIN (SELECT word, count(*) AS chunks FROM holding GROUP BY word) h USING (word)
               ),
               lexical AS MATERIALIZED (
                   SELECT h.file_version_id, h.ordinal,
                          sum(w.weight)::float8 / nullif((SELECT sum(weight) FROM weighed), 0)::float8 AS share
                   FROM holding h JOIN weighed w USING (word)
                   GROUP BY h.file_version_id, h.ordinal, h.path
                   ORDER BY share DESC, h.path, h.ordinal LIMIT $9
               ),
               named AS MATERIALIZED (
                   SELECT n.number, v.file_version_id, v.analyser, v.embedding_model, y.start_line AS line,
                          CASE WHEN y.name = n.last THEN 0 ELSE 2 END
                              + CASE WHEN y.kind IN ('field', 'enum_member', 'property', 'variable') THEN 1 ELSE 0 END
                              AS tier
                   FROM unnest($6::text[], $7::text[]) WITH ORDINALITY AS n (last, qualified, number)
                   JOIN symbols y ON y.workspace_id = $1 AND lower(y.name) = lower(n.last)
                                 AND y.kind NOT IN ('heading', 'impl')
                   JOIN visible v ON v.file_version_id = y.file_version_id AND v.analyser = y.analyser
                   WHERE n.qualified = lower(n.last)
                      OR right('.' || lower(translate(replace(y.qualified, '::', '.'), '#/', '..')), length(n.qualified) + 1)
                         = '.' || n.qualified
                   UNION ALL
                   SELECT n.number, v.file_version_id, v.analyser, v.embedding_model, 0,
                          CASE WHEN right(v.place, length(n.file) + 1) = '/' || n.file THEN 0 ELSE 2 END
                   FROM unnest($8::text[]) WITH ORDINALITY AS n (file, number)
                   CROSS JOIN (SELECT *, '/' || lower(path) AS place FROM visible OFFSET 0) v
                   WHERE right(v.place, length(n.file) + 1) = '/' || n.file
                      OR translate(split_part(split_part(v.place, '/', -1), '.', 1), '-', '_') = translate(n.file, '-', '_')
               ),
               defining AS MATERIALIZED (
                   SELECT c.file_version_id, c.ordinal, min(n.tier) AS tier
                   FROM (SELECT *, count(*) OVER (PARTITION BY number) AS places FROM named) n
                   JOIN chunks c ON c.file_version_id = n.file_version_id AND c.analyser = n.analyser
                                AND c.model = n.embedding_model
                                AND CASE n.line WHEN 0 THEN c.ordinal = 0 ELSE n.line BETWEEN c.start_line AND c.end_line END
                   WHERE n.places <= $10
                   GROUP BY c.file_version_id, c.ordinal
               ),
               candidates AS MATERIALIZED (
                   SELECT file_version_id, ordinal, min(tier) AS tier
                   FROM (
                       SELECT file_version_id, ordinal, NULL::integer AS tier FROM dense
                       UNION ALL SELECT file_version_id, ordinal, NULL FROM lexical
                       UNION ALL SELECT file_version_id, ordinal, tier FROM defining
                   ) every
                   WHERE $11::float8 <= 0 OR EXISTS (SELECT FROM defining) OR (SELECT max(share) FROM lexical) >= $11
                      OR EXISTS (SELECT FROM lexical) AND (SELECT -min(distance) FROM dense) >= $12::float8
                   GROUP BY file_version_id, ordinal
               )
               SELECT c.repository_id AS "repository_id!", v.run_id AS "run_id!", v.path AS "path!", v.oid AS "oid!",
                      c.language AS "language!", x.category AS "category!", c.kind AS "kind!", c.scope AS "scope!",
                      c.symbol AS "symbol!", c.start_line AS "start_line!", c.end_line AS "end_line!",
                      c.content AS "content!", f.tier IS NOT NULL AS "defines!",
                      (k.weight * (0.75 * coalesce(-(c.embedding <#> $4), 0) + 0.25 * coalesce(m.share, 0)) + CASE WHEN f.tier IS NULL THEN 0 ELSE 20 - f.tier - 4 * k.later END)::float8
                          AS "score!"
               FROM candidates f
               JOIN visible v USING (file_version_id)
               JOIN chunks c ON c.file_version_id = f.file_version_id AND c.ordinal = f.ordinal
                            AND c.analyser = v.analyser AND c.model = v.embedding_model
               JOIN file_versions x ON x.file_version_id = f.file_version_id AND x.analyser = v.analyser
               CROSS JOIN LATERAL (
                   SELECT coalesce(sum(w.weight) FILTER (WHERE c.lexemes @@ w.query), 0)::float8
                              / nullif(sum(w.weight), 0)::float8 AS share
                   FROM weighed w
               ) m
               CROSS JOIN LATERAL (
                   SELECT CASE x.category WHEN 'source' THEN 1.0 WHEN 'docs' THEN $13::float8 WHEN 'config' THEN 0.8
                              ELSE 0.7 END AS weight,
                          CASE x.category WHEN 'source' THEN 0 WHEN 'test' THEN 2 ELSE 1 END AS later
               ) k
               ORDER BY "score!" DESC, v.path, v.run_id, c.ordinal
               LIMIT $14"#,
            workspace.as_uuid(),
            repository.map(RepositoryId::as_uuid),
            run.map(RunId::as_uuid),
            vector as Option<HalfVector>,
            &words,
            &last,
            &qualified,
            &file,
            rules.neighbours,
            most_places,
            rules.least_share,
            rules.least_cosine,
            rules.docs,
            i64::from(query.limit),
            words.join(" | ")
        )
        .fetch_all(&self.pool)
        .await?)
    }
}
