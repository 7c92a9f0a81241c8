//! What a file declares and mentions, a walk per language.

use tree_sitter::Tree;

use crate::{Import, Language, Ref, Symbol};

/// The result of a walk.
#[derive(Debug, Default)]
pub(crate) struct Outline {
    pub(crate) symbols: Vec<Symbol>,
    pub(crate) imports: Vec<Import>,
    pub(crate) refs: Vec<Ref>,
    /// Named ranges for the scopes of chunks, in order of start.
    pub(crate) scopes: Vec<Scope>,
    /// Byte ranges of comments, in order.
    pub(crate) comments: Vec<(usize, usize)>,
}

/// A named range.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    /// First byte, documentation and attributes included.
    pub(crate) lead: usize,
    /// First byte of the declaration.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// What a reader sees: `fn bar`.
    pub(crate) label: String,
    /// Index of the scope around it.
    pub(crate) parent: Option<usize>,
    /// Ordinal of its symbol.
    pub(crate) symbol: Option<u32>,
}

pub(crate) fn outline(language: Language, text: &str, tree: Option<&Tree>) -> Outline {
    let _ = (language, text, tree);
    Outline::default()
}
