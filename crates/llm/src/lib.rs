//! Language models behind one trait: a neutral request in, a stream of text out.
//!
//! # Purpose
//! [`LlmClient`] is what the rest of the system knows of a model. [`LlmRequest`] says what to write
//! without saying whose model writes it; [`LlmStream`] brings the text as it is written;
//! [`LlmError`] says what a caller can do next, and nothing about the provider.
//! [`anthropic::AnthropicClient`] speaks the Messages API, which most gateways and local servers
//! understand as well.
//!
//! # Non-goals
//! - Tools. The model reads and writes text, so a hijacked one can do no more than write bad text.
//! - Deciding what may be sent. A client sends what it is given; only the send gate holds one.
//! - Remembering. The ledger of calls, budgets and stored answers belong to the caller.
//! - Sampling knobs. Current models refuse them; equal requests are made equal by storing answers.
//!
//! # Invariants
//! - Always streamed, never open-ended: connecting, the first byte, the gap between bytes, the whole
//!   call, the number of tries, the size of an event and of an answer all have a bound.
//! - A stream that ends without [`LlmEvent::Stop`] or an error does not exist: a cut connection is
//!   an error, never a short answer.
//! - Nothing a provider sends makes this crate panic, and neither keys nor bodies are ever logged.
//! - Within a call only what was not yet answered is tried again. Once text has arrived the caller
//!   decides, because every try is paid for.
//!
//! # To add another provider
//! Add a folder beside `anthropic/` with its encoding, its event parser and its error table (each a
//! pure function with a table test), and reuse the stream decoder. A field of [`LlmRequest`] that a
//! provider lacks is refused or left out before anything is sent.

pub mod anthropic;
mod client;
mod collect;
mod error;
mod estimate;
mod pace;
mod request;
mod stream;

pub use client::LlmClient;
pub use collect::{Completion, FailedCall, collect, collect_with};
pub use error::{LlmError, RetryCause};
pub use estimate::estimate_tokens;
pub use pace::{Pace, TokioPace};
pub use request::{Block, Effort, LlmRequest, Role, Turn};
pub use stream::{LlmEvent, LlmStream, StopReason, Usage};
