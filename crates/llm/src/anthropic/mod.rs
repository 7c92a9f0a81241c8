//! The Messages API: Anthropic's own, and the many servers and gateways that speak it.

mod answer;
mod client;
mod config;
mod fault;
#[cfg(any(test, fuzzing))]
pub mod properties;
mod retry;
mod sse;
mod wire;

pub use client::AnthropicClient;
pub use config::{API_VERSION, AnthropicConfig, ConfigError};
