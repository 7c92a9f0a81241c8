//! Errors of the database, mapped once.

/// What went wrong, in the classes that callers tell apart.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The server cannot be reached, is starting or stopping, or the pool is exhausted: try later.
    #[error("reach PostgreSQL")]
    Unavailable(#[source] sqlx::Error),
    /// Deadlock or serialisation failure: try again at once.
    #[error("conflict with another transaction")]
    Conflict(#[source] sqlx::Error),
    /// A row that this one hangs on is gone: read run and repository again; gone means cancelled.
    #[error("a referenced row is gone")]
    ReferenceGone(#[source] sqlx::Error),
    /// A unique rule refuses the row. The text is the constraint's name.
    #[error("`{0}` already exists")]
    Duplicate(String),
    /// Another rule of the schema refuses the row: a bug, or hostile input that was not checked.
    #[error("the database refuses the row")]
    Refused(#[source] sqlx::Error),
    /// Another request with the same idempotency key is at work: try later.
    #[error("the idempotency key is in use")]
    KeyInUse,
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// An earlier request with the same idempotency key has made it, and what it was answered is not stored.
    #[error("the answer was given once")]
    AnswerGone,
    /// A stored value that today's code cannot read.
    #[error("read `{column}` of a row: {problem}")]
    Corrupt {
        /// Which column.
        column: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// Anything else.
    #[error("run a statement")]
    Other(#[source] sqlx::Error),
}

impl StoreError {
    /// Whether the same call can succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Conflict(_))
    }

    /// A value that does not parse.
    pub(crate) fn corrupt(column: &'static str, problem: impl std::fmt::Display) -> Self {
        Self::Corrupt { column, problem: problem.to_string() }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let code = match &error {
            sqlx::Error::Database(database) => database.code().unwrap_or_default().into_owned(),
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => {
                return Self::Unavailable(error);
            }
            _ => return Self::Other(error),
        };
        match code.as_str() {
            // Classes 08 (connection), 53 (resources), 57P (shutdown, starting up); 25P03: idle for too long, so this
            // process stood still.
            code if code.starts_with("08") || code.starts_with("53") || code.starts_with("57P") || code == "25P03" => {
                Self::Unavailable(error)
            }
            "40001" | "40P01" => Self::Conflict(error),
            "23503" => Self::ReferenceGone(error),
            "23505" => match &error {
                sqlx::Error::Database(database) => Self::Duplicate(database.constraint().unwrap_or("row").to_owned()),
                _ => Self::Other(error),
            },
            code if code.starts_with("22") || code.starts_with("23") => Self::Refused(error),
            _ => Self::Other(error),
        }
    }
}
