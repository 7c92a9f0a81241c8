//! From checked files to rows with vectors and words. Runs on a blocking thread.

use caffeine_analysis::{Language, header};
use caffeine_embedding::{EmbedError, Embedder, lexical};
use caffeine_store::embedder::{ChunkRow, EmbeddedFile};
use half::f16;
use tokio_util::sync::CancellationToken;

use crate::unpack::{InputFile, slice};

/// Why there are no rows.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IndexError {
    #[error("the job is cancelled")]
    Cancelled,
    #[error("embed the chunks")]
    Embed(#[from] EmbedError),
    #[error("the model answers {answers} vectors for {texts} texts")]
    Answers { texts: usize, answers: usize },
}

/// Embeds every chunk of the files, `per_call` at a time.
pub(crate) fn index(
    embedder: &dyn Embedder,
    files: Vec<InputFile>,
    per_call: usize,
    cancelled: &CancellationToken,
) -> Result<Vec<EmbeddedFile>, IndexError> {
    let texts: Vec<String> = files.iter().flat_map(embedded_texts).collect();
    let mut vectors = Vec::with_capacity(texts.len());
    for call in texts.chunks(per_call.max(1)) {
        if cancelled.is_cancelled() {
            return Err(IndexError::Cancelled);
        }
        let call: Vec<&str> = call.iter().map(String::as_str).collect();
        vectors.extend(embedder.embed(&call)?);
    }
    if vectors.len() != texts.len() {
        return Err(IndexError::Answers { texts: texts.len(), answers: vectors.len() });
    }
    let mut embedded = texts.iter().zip(vectors);
    let mut rows = Vec::with_capacity(files.len());
    for file in files {
        let chunks = file
            .chunks
            .into_iter()
            .zip(&mut embedded)
            .map(|(chunk, (text, vector))| ChunkRow {
                content: slice(&chunk, &file.text).to_owned(),
                kind: chunk.kind,
                scope: chunk.scope,
                symbol: chunk.symbol,
                start_line: chunk.start_line,
                end_line: chunk.end_line,
                lexemes: lexical::lexemes(text),
                embedding: vector.as_slice().map(|vector| vector.iter().copied().map(f16::from_f32).collect()),
            })
            .collect();
        rows.push(EmbeddedFile { id: file.id, path: file.path, language: file.language, chunks });
    }
    Ok(rows)
}

/// What is embedded for each chunk of a file: where it stands, and its text. The cited range is the text alone.
fn embedded_texts(file: &InputFile) -> impl Iterator<Item = String> {
    let language = Language::ALL.iter().copied().find(|language| language.as_str() == file.language);
    let language = language.unwrap_or(Language::Text);
    file.chunks.iter().map(move |chunk| {
        let signature = Some(chunk.signature.as_str()).filter(|signature| !signature.is_empty());
        let header = header(file.path.as_str(), language, &chunk.scope, signature);
        format!("{header}\n{}", slice(chunk, &file.text))
    })
}
