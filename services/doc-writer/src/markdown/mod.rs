//! Markdown that says exactly what was meant, whatever the words are.
//!
//! Names, paths, documentation and model output are foreign. They enter a page only through [`text`], [`code`],
//! [`fence`] and [`Sheet::cite`], none of which lets them become markup, a link or a hidden character.

mod check;
mod escape;
mod sheet;

pub use check::{Finding, check};
pub(crate) use escape::{code, fence, line, text, words};
pub use sheet::{Sheet, Written};
