//! The trait of all embedders.

/// Turns texts into vectors. Implementations are synchronous and may use the processor for a
/// while: call them from a blocking thread, in batches.
pub trait Embedder: Send + Sync {
    /// The model's name and version, stored with every vector: `static-code-256-v2`.
    fn model(&self) -> &str;

    /// The number of components of each vector.
    fn dimensions(&self) -> usize;

    /// Embeds each text: as many results as texts, in the same order.
    ///
    /// # Errors
    /// Only when the embedder itself is out of order; no text is an error.
    fn embed(&self, texts: &[&str]) -> Result<Vec<Embedding>, EmbedError>;
}

/// What became of one text.
#[derive(Debug, Clone, PartialEq)]
pub enum Embedding {
    /// A vector of length 1 with [`Embedder::dimensions`] components.
    Vector(Vec<f32>),
    /// The text holds nothing the model knows. Store it without a vector: it can be found by its
    /// words, never by similarity.
    Empty,
}

impl Embedding {
    /// The vector, if there is one.
    #[must_use]
    pub fn as_slice(&self) -> Option<&[f32]> {
        match self {
            Self::Vector(vector) => Some(vector),
            Self::Empty => None,
        }
    }

    /// The vector, if there is one; the shape of a nullable column.
    #[must_use]
    pub fn into_vector(self) -> Option<Vec<f32>> {
        match self {
            Self::Vector(vector) => Some(vector),
            Self::Empty => None,
        }
    }
}

/// Why an embedder cannot work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbedError {
    /// The table's files do not fit together.
    #[error("embedding table is damaged: {0}")]
    DamagedTable(&'static str),
    /// The table's word list is not a list of words.
    #[error("read the embedding table's word list")]
    Vocabulary(#[source] serde_json::Error),
    /// An embedder outside this crate failed.
    #[error("embedder failed")]
    Backend(#[source] Box<dyn std::error::Error + Send + Sync>),
}
