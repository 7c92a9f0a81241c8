//! The pipeline's contract: which message goes where, and what it looks like on the wire.
//!
//! Purpose: one place for each truth about the bus. The table in [`table`] says for every message its subject,
//! stream, reader and writers, and for every durable consumer its slots, times and attempts. Streams, consumers,
//! permissions and `docs/PIPELINE.md` are made from it.
//!
//! Non-goals: no connection to a broker (see `caffeine-bus`), no behaviour.
//!
//! Invariants:
//! - Bodies and headers are frozen: fields are only added. `tests/it/golden.rs` holds the bytes of each message.
//! - A work-queue subject has exactly one reader; a message with two readers is two messages.
//! - Waiting is acyclic: CLONE < FILES < CHUNKS, FILES < LINK < PLANS < PAGES < STATE < DEAD.
//!
//! To add a message: write it in `proto/`, run `make generate`, add a [`Kind`] and its row, implement [`Message`].

mod command;
pub mod headers;
mod message;
mod permission;
mod pipeline_doc;
#[cfg(any(test, fuzzing))]
pub mod properties;
mod scope;
mod subject;
pub mod table;

/// Types generated from `proto/caffeine/v1`.
#[expect(missing_docs, reason = "prost documents messages and fields, but not the methods it adds")]
pub mod v1 {
    include!("gen/caffeine.v1.rs");
}

pub use command::{Command, Decision};
pub use message::{Message, transition_key};
pub use permission::{Identity, Permissions};
pub use pipeline_doc::pipeline_markdown;
pub use scope::{DecodeError, Scope, id_bytes, oid_field, uuid_field};
pub use subject::Subjects;
pub use table::{Consumer, ConsumerSpec, Kind, MessageSpec, Service, Stream, StreamSpec, Timings};
