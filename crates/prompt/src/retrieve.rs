//! Passages of a snapshot for a question.

use caffeine_embedding::{EmbedError, Embedder, Embedding, lexical};
use caffeine_model::{RunId, WorkspaceId};
use caffeine_store::{PassageQuery, PassageRow, Store, StoreError};

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
    let vectors = embedder.embed(&[question])?;
    let query = PassageQuery {
        lexemes: lexical::lexemes(question),
        vector: vectors.into_iter().next().and_then(Embedding::into_vector),
        limit: MAX_PASSAGES,
    };
    let Snapshot { workspace, run, analyser, embedding_model } = *snapshot;
    let mut passages = store.passages_for(workspace, run, analyser, embedding_model, &query).await?;
    passages.extend(store.leading_passages(workspace, run, analyser, embedding_model, MAX_PASSAGES).await?);
    Ok(passages)
}
