//! The trait of all model clients.

use async_trait::async_trait;

use crate::{LlmError, LlmRequest, LlmStream};

/// A model that can be asked. Clients are cheap to share and safe to use from many tasks at once.
#[async_trait]
pub trait LlmClient: Send + Sync {
    /// Sends the request and returns once the provider has begun to answer.
    ///
    /// # Errors
    /// Any [`LlmError`]; what could be tried again within the client's bounds has been. Dropping
    /// the future or the stream ends the call.
    async fn stream(&self, request: LlmRequest) -> Result<LlmStream, LlmError>;
}
