//! Passages of a snapshot for a question.

use caffeine_embedding::question::Question;
use caffeine_embedding::{EmbedError, Embedder, Embedding};
use caffeine_model::{RunId, WorkspaceId};
use caffeine_store::{PassageName, PassageQuery, PassageRow, Store, StoreError};

/// Passages looked at for a template.
const MAX_PASSAGES: u32 = 400;

/// Which files, and how they were analysed and embedded.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot<'parts> {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// The run that listed the files.
    pub run: RunId,
    /// The analyser of the run.
    pub analyser: &'parts str,
    /// The embedding model of the run.
    pub embedding_model: &'parts str,
}

/// Why there are no passages.
#[derive(Debug, thiserror::Error)]
pub enum RetrieveError {
    /// The question cannot be embedded.
    #[error("embed the question")]
    Embed(#[from] EmbedError),
    /// The database cannot be asked.
    #[error("look for passages")]
    Store(#[from] StoreError),
}

/// What the store is asked for a question.
///
/// # Errors
/// If the question cannot be embedded.
pub fn passage_query(embedder: &dyn Embedder, question: &str, limit: u32) -> Result<PassageQuery, EmbedError> {
    let vectors = embedder.embed(&[question])?;
    let Question { words, names, is_name } = Question::of(question);
    let names =
        names.into_iter().map(|name| PassageName { last: name.last, qualified: name.qualified, file: name.file });
    Ok(PassageQuery {
        words,
        names: names.collect(),
        is_name,
        vector: vectors.into_iter().next().and_then(Embedding::into_vector),
        limit,
    })
}

/// Passages for a question, best first, then the beginnings of the most important files.
///
/// # Errors
/// See [`RetrieveError`].
pub async fn passages(
    store: &Store,
    embedder: &dyn Embedder,
    snapshot: &Snapshot<'_>,
    question: &str,
) -> Result<Vec<PassageRow>, RetrieveError> {
    let query = passage_query(embedder, question, MAX_PASSAGES)?;
    let Snapshot { workspace, run, analyser, embedding_model } = *snapshot;
    let mut passages = store.passages_for(workspace, run, &query).await?;
    passages.extend(store.leading_passages(workspace, run, analyser, embedding_model, MAX_PASSAGES).await?);
    Ok(passages)
}
