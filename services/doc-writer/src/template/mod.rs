//! A page written by a model from a prompt template.
//!
//! The question comes from `caffeine-prompt`. Here it is asked through the send gate with the ledger written first
//! ([`ask`]), and the answer is read as hostile Markdown and its citations are resolved ([`answer`]). The model sees text
//! and writes text; it has no tools.

pub mod answer;
pub mod ask;
