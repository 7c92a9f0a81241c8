//! The Messages API: Anthropic's own, and the many servers and gateways that speak it.

mod answer;
mod client;
mod config;
mod fault;
mod retry;
mod sse;
mod wire;

pub use client::AnthropicClient;
pub use config::{API_VERSION, AnthropicConfig, ConfigError};
