//! What a model is asked: a prompt template, filled, with passages of a snapshot in its slot.
//!
//! # Purpose
//! The doc-writer asks with it, and the gateway shows beforehand what would be asked, so both must come from one place:
//! fill the template ([`render`]), find passages for the question ([`passages`]), pack them into the `{code}` slot
//! ([`pack`]), and put our own rules before it ([`Prompt`]).
//!
//! # Non-goals
//! - Sending. What may leave, and what is taken out of it, is the send gate's.
//! - Reading the answer: the doc-writer's.
//!
//! # Invariants
//! - Text of the repository is never text of the prompt: it stands in documents of its own, in the slot.
//! - Values are never read again, so no value can fill another placeholder.
//! - The same rows and template give the same bytes.
//!
//! # To add a placeholder
//! A field of [`render::Values`], its name in `known`, and the gateway's rules for templates.

pub mod pack;
mod prompt;
pub mod render;
mod retrieve;
mod template;

pub use prompt::Prompt;
pub use retrieve::{RetrieveError, Snapshot, passage_query, passages};
pub use template::Template;
