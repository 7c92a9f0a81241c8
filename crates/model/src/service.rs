//! The services by name.

/// Who reads and writes messages and rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// REST, SSE, login; projects transitions.
    Gateway,
    /// Git.
    Cloner,
    /// Analysis and linking.
    Chunker,
    /// Vectors.
    Embedder,
    /// Documents.
    DocWriter,
    /// Reaper and sweeper.
    Housekeeper,
}

impl Service {
    /// Every service.
    pub const ALL: [Self; 6] =
        [Self::Gateway, Self::Cloner, Self::Chunker, Self::Embedder, Self::DocWriter, Self::Housekeeper];

    /// The name used in connections, users, roles, metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Cloner => "cloner",
            Self::Chunker => "chunker",
            Self::Embedder => "embedder",
            Self::DocWriter => "doc-writer",
            Self::Housekeeper => "housekeeper",
        }
    }
}
