//! Questions to the provider: short, without redirects, and with an end.

use std::time::Duration;

use futures::StreamExt as _;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;

/// A provider that takes longer is away.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 512 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error("reach the provider")]
    Unreachable(#[source] reqwest::Error),
    #[error("the provider answers {0}")]
    Status(StatusCode),
    #[error("the provider's answer is too long")]
    TooLong,
    #[error("the provider's answer cannot be read")]
    Unreadable,
}

/// A client; to this machine without a proxy.
pub(crate) fn client(is_local: bool) -> Result<Client, reqwest::Error> {
    let builder = Client::builder().timeout(PATIENCE).redirect(Policy::none());
    if is_local { builder.no_proxy() } else { builder }.build()
}

/// The status and the body of an answer.
pub(crate) async fn send(request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), HttpError> {
    let response = request.send().await.map_err(HttpError::Unreachable)?;
    let status = response.status();
    let mut body = Vec::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        body.extend_from_slice(&chunk.map_err(HttpError::Unreachable)?);
        if body.len() > MAX_ANSWER {
            return Err(HttpError::TooLong);
        }
    }
    Ok((status, body))
}

/// The JSON of an answer that is good.
pub(crate) async fn json<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, HttpError> {
    let (status, body) = send(request).await?;
    if !status.is_success() {
        return Err(HttpError::Status(status));
    }
    serde_json::from_slice(&body).map_err(|_| HttpError::Unreadable)
}
