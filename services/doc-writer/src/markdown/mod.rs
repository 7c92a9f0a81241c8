//! Markdown that says exactly what was meant, whatever the words are.
//!
//! Names, paths, documentation and model output are foreign. They enter a page only through [`text`], [`code`],
//! [`fence`] and [`Sheet::cite`], none of which lets them become markup, a link or a hidden character, and through
//! [`prose`](prose()), which keeps code spans and emphasis.

mod check;
mod escape;
mod prose;
mod sheet;

pub use check::{Finding, check};
pub(crate) use escape::{code, fence, line, text, words, words_within};
pub(crate) use prose::{prose, prose_words};
pub use sheet::{Sheet, Written};
