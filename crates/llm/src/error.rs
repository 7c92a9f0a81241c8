//! What can go wrong with a call, by what the caller can do about it.

use std::time::Duration;

/// Why a call has no usable answer. Codes are the provider's own words, cut to a safe alphabet;
/// `detail` is its sentence about it, cut to a safe length, to show to the person who configured
/// the call. It is not part of the message, because it may quote what was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LlmError {
    /// It may work later. The client has used up its own tries.
    #[error("model call failed for now: {cause}")]
    Retry {
        /// How long the provider asked to wait.
        after: Option<Duration>,
        /// What went wrong.
        cause: RetryCause,
    },
    /// The request is too large for the model: pack less and ask again.
    #[error("request is too large for the model")]
    Repack,
    /// No call of this run can work: spend limit, blocked organisation, unknown model.
    #[error("the provider refuses all calls: {code}")]
    StopRun {
        /// The provider's code.
        code: String,
        /// The provider's sentence.
        detail: String,
    },
    /// This request is wrong and stays wrong.
    #[error("the provider rejected the request: {code}")]
    Reject {
        /// The provider's code, or ours where we refuse to send or to read on.
        code: String,
        /// The provider's sentence.
        detail: String,
    },
    /// The model declined to answer.
    #[error("the model declined to answer")]
    Refused {
        /// The provider's word for why.
        category: Option<String>,
    },
    /// The answer reached its token limit; the text so far is in [`crate::FailedCall`].
    #[error("the answer was cut off at its token limit")]
    Truncated,
    /// The key is missing, wrong or withdrawn.
    #[error("the provider does not accept the key")]
    Auth,
}

/// What kind of failure may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RetryCause {
    /// Our rate limit is used up.
    #[error("rate limit reached")]
    RateLimited,
    /// The provider has too much to do; send less at once.
    #[error("provider overloaded")]
    Overloaded,
    /// The provider had a fault of its own.
    #[error("provider fault")]
    Server,
    /// No connection, or none that answered.
    #[error("provider not reachable")]
    Connect,
    /// No byte for too long, or no end within the whole time of the call.
    #[error("time limit reached")]
    Timeout,
    /// The answer broke off after it had begun. What arrived has been paid for.
    #[error("answer broke off")]
    Interrupted,
}

impl LlmError {
    /// The wait the provider asked for.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Retry { after, .. } => *after,
            _ => None,
        }
    }

    pub(crate) fn retry(cause: RetryCause) -> Self {
        Self::Retry { after: None, cause }
    }

    pub(crate) fn reject(code: &str) -> Self {
        Self::Reject { code: code.to_owned(), detail: String::new() }
    }
}
