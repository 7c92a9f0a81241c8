//! What a file declares and mentions: one walk per language over its tree.

mod config;
mod doc;
mod ecmascript;
mod ecmascript_import;
mod go;
mod java;
mod markdown;
mod nodes;
mod python;
mod rust;
mod rust_use;
mod walk;
mod yaml;

use tree_sitter::Tree;

use crate::chunk::Mark;
use crate::{Import, Language, Ref, Symbol};

/// The result of a walk.
#[derive(Debug, Default)]
pub(crate) struct Outline {
    pub(crate) symbols: Vec<Symbol>,
    pub(crate) imports: Vec<Import>,
    pub(crate) refs: Vec<Ref>,
    /// Named ranges for the places of chunks, in order of `lead`.
    pub(crate) scopes: Vec<Scope>,
    /// Byte ranges of comments, in order.
    pub(crate) comments: Vec<(usize, usize)>,
    /// Where to cut a text without a tree, in order.
    pub(crate) marks: Vec<Mark>,
}

/// A named range.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    /// First byte, documentation and attributes included.
    pub(crate) lead: usize,
    /// First byte of the declaration.
    pub(crate) start: usize,
    /// One past its last byte.
    pub(crate) end: usize,
    /// What a reader sees: `fn bar`.
    pub(crate) label: String,
    /// Index of the scope around it.
    pub(crate) parent: Option<usize>,
    /// Ordinal of its symbol.
    pub(crate) symbol: Option<u32>,
}

/// Walks the tree, if there is one, or reads the text, if that is enough.
pub(crate) fn outline(path: &str, language: Language, text: &str, tree: Option<&Tree>) -> Outline {
    match (language, tree) {
        (Language::Markdown, _) => markdown::outline(text),
        (Language::Yaml, _) => yaml::outline(text),
        (_, None) => Outline::default(),
        (Language::Rust, Some(tree)) => walk::run(path, text, tree, &mut rust::Rust::default()),
        (Language::Python, Some(tree)) => walk::run(path, text, tree, &mut python::Python::default()),
        (Language::JavaScript | Language::TypeScript | Language::Tsx, Some(tree)) => {
            walk::run(path, text, tree, &mut ecmascript::EcmaScript::default())
        }
        (Language::Go, Some(tree)) => walk::run(path, text, tree, &mut go::Go),
        (Language::Java, Some(tree)) => walk::run(path, text, tree, &mut java::Java),
        (_, Some(tree)) => walk::run(path, text, tree, &mut config::Config),
    }
}
