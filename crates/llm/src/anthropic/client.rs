//! The client: one call, its tries, and the stream that comes of it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, Proxy, Response, redirect};
use secrecy::ExposeSecret;
use tokio::time::{Instant, timeout_at};
use url::{Host, Url};

use super::answer::{self, Patience};
use super::config::{AnthropicConfig, ConfigError};
use super::retry::{self, RetryHints};
use super::{fault, wire};
use crate::{LlmClient, LlmError, LlmRequest, LlmStream, Pace, RetryCause, TokioPace};

/// Most bytes of an error's body that are read.
const MAX_FAULT_BYTES: usize = 64 << 10;
/// Longest name of a call that is kept.
const MAX_REQUEST_ID_BYTES: usize = 128;

/// A client of the Messages API.
pub struct AnthropicClient {
    http: Client,
    endpoint: Url,
    config: AnthropicConfig,
    pace: Arc<dyn Pace>,
}

/// A try that brought no answer.
struct FailedTry {
    error: LlmError,
    hints: RetryHints,
}

impl From<LlmError> for FailedTry {
    fn from(error: LlmError) -> Self {
        Self { error, hints: RetryHints::default() }
    }
}

impl AnthropicClient {
    /// A client that waits in real time.
    ///
    /// # Errors
    /// When the settings cannot work; nothing is sent.
    pub fn new(config: AnthropicConfig) -> Result<Self, ConfigError> {
        Self::with_pace(config, Arc::new(TokioPace))
    }

    /// A client that waits as it is told between two tries.
    ///
    /// # Errors
    /// As [`AnthropicClient::new`].
    pub fn with_pace(config: AnthropicConfig, pace: Arc<dyn Pace>) -> Result<Self, ConfigError> {
        // The HTTP library is built without a provider of cryptography. If the process has chosen
        // one already, this fails and changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let endpoint = endpoint(&config.base_url)?;
        let mut builder = Client::builder()
            .default_headers(headers(&config)?)
            .user_agent(concat!("caffeinecode/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .no_gzip()
            .connect_timeout(config.connect_timeout)
            .tcp_keepalive(Duration::from_secs(60))
            .tcp_keepalive_interval(Duration::from_secs(60))
            .tcp_keepalive_retries(5);
        if let Some(pem) = &config.extra_roots_pem {
            let roots = Certificate::from_pem_bundle(pem).map_err(ConfigError::Http)?;
            builder = builder.tls_certs_merge(roots);
        }
        if let Some(proxy) = &config.proxy {
            let proxy = Proxy::all(proxy.clone()).map_err(ConfigError::Http)?;
            builder = builder.proxy(proxy);
        } else if is_loopback(&config.base_url) {
            // The system's proxy cannot reach this machine's own loopback.
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(ConfigError::Http)?;
        Ok(Self { http, endpoint, config, pace })
    }

    /// Sends the body once and waits for a successful answer's headers.
    async fn attempt(&self, body: Bytes, deadline: Instant) -> Result<Response, FailedTry> {
        let until = deadline.min(Instant::now() + self.config.first_byte_timeout);
        let request = self.http.post(self.endpoint.clone()).body(body);
        let response = match timeout_at(until, request.send()).await {
            Err(_) => return Err(LlmError::retry(RetryCause::Timeout).into()),
            Ok(Err(error)) => return Err(send_error(&error).into()),
            Ok(Ok(response)) => response,
        };
        if response.status().is_success() {
            return match is_event_stream(response.headers()) {
                true => Ok(response),
                // A web page, most likely: the base address is another server's.
                false => Err(LlmError::reject("no_event_stream").into()),
            };
        }
        let status = response.status().as_u16();
        let hints = RetryHints::from_headers(response.headers());
        let body = read_fault(response, until).await;
        Err(FailedTry { error: fault::of_status(status, &body, hints.after), hints })
    }
}

#[async_trait]
impl LlmClient for AnthropicClient {
    async fn stream(&self, request: LlmRequest) -> Result<LlmStream, LlmError> {
        let body = Bytes::from(wire::encode(&request)?);
        let deadline = Instant::now() + self.config.deadline;
        let mut attempt = 1;
        loop {
            let FailedTry { error, hints } = match self.attempt(body.clone(), deadline).await {
                Ok(response) => {
                    let id = request_id(response.headers());
                    let patience = Patience { idle: self.config.idle_timeout, deadline };
                    return Ok(LlmStream::new(id, answer::events(response.bytes_stream(), patience)));
                }
                Err(failed) => failed,
            };
            let may_pass = matches!(error, LlmError::Retry { .. });
            if !hints.should_retry.unwrap_or(may_pass) || attempt >= self.config.max_attempts {
                return Err(error);
            }
            let wait = retry::wait(attempt, hints.after, self.pace.chance());
            // A wait beyond the deadline is the caller's: it can give its place to others.
            if wait >= deadline.saturating_duration_since(Instant::now()) {
                return Err(error);
            }
            tracing::debug!(attempt, wait_ms = wait.as_millis(), %error, "model call is tried again");
            self.pace.sleep(wait).await;
            attempt += 1;
        }
    }
}

impl std::fmt::Debug for AnthropicClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AnthropicClient").field("endpoint", &self.endpoint.as_str()).finish_non_exhaustive()
    }
}

/// The address of the messages call below the base address, whatever path that has.
fn endpoint(base: &Url) -> Result<Url, ConfigError> {
    let is_plain = base.username().is_empty() && base.password().is_none();
    if !matches!(base.scheme(), "http" | "https") || !is_plain {
        return Err(ConfigError::Address);
    }
    let mut endpoint = base.clone();
    endpoint.set_query(None);
    endpoint.set_fragment(None);
    endpoint.path_segments_mut().map_err(|()| ConfigError::Address)?.pop_if_empty().extend(["v1", "messages"]);
    Ok(endpoint)
}

fn is_loopback(address: &Url) -> bool {
    match address.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

fn headers(config: &AnthropicConfig) -> Result<HeaderMap, ConfigError> {
    let version = HeaderValue::from_str(&config.api_version).map_err(|_| ConfigError::Header("the API version"))?;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(HeaderName::from_static("anthropic-version"), version);
    if let Some(key) = &config.api_key {
        let mut key =
            HeaderValue::from_str(key.expose_secret().trim()).map_err(|_| ConfigError::Header("the API key"))?;
        key.set_sensitive(true);
        headers.insert(HeaderName::from_static("x-api-key"), key);
    }
    Ok(headers)
}

fn send_error(error: &reqwest::Error) -> LlmError {
    if error.is_builder() {
        return LlmError::reject("unsendable_request");
    }
    LlmError::retry(if error.is_timeout() { RetryCause::Timeout } else { RetryCause::Connect })
}

/// The body of an error, as much of it as is there in time and within the bound.
async fn read_fault(mut response: Response, until: Instant) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Ok(Some(chunk))) = timeout_at(until, response.chunk()).await {
        let room = MAX_FAULT_BYTES - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == MAX_FAULT_BYTES {
            break;
        }
    }
    body
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.trim_start().to_ascii_lowercase().starts_with("text/event-stream")
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("request-id")?.to_str().ok()?;
    (1..=MAX_REQUEST_ID_BYTES).contains(&id.len()).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_call_lies_below_the_base_address() {
        let cases = [
            ("https://api.anthropic.com", "https://api.anthropic.com/v1/messages"),
            ("https://h.example/anthropic/", "https://h.example/anthropic/v1/messages"),
            ("http://127.0.0.1:9/a?b#c", "http://127.0.0.1:9/a/v1/messages"),
        ];
        for (base, expected) in cases {
            let base = Url::parse(base).expect("valid address");
            assert_eq!(endpoint(&base).expect("usable address").as_str(), expected);
        }
        for base in ["ftp://h.example/", "data:text/plain,x", "https://u:p@h.example/"] {
            let base = Url::parse(base).expect("valid address");
            assert!(matches!(endpoint(&base), Err(ConfigError::Address)), "{base}");
        }
    }
}
