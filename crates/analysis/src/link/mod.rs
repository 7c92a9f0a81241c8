//! From the analyses of all files of a snapshot to the graph between them.

mod ecmascript;
mod edges;
mod go;
mod index;
mod input;
mod java;
mod modules;
mod names;
mod packages;
mod python;
mod rank;
mod rust;
mod rust_tree;
mod standard;

use self::index::Index;
use crate::RefKind;

pub use self::input::{FileRefs, LinkFile, LinkImport, LinkSymbol};

/// The graph of a snapshot. Every list is sorted by its fields in their order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LinkOutput {
    /// Resolved relations, one per (source, destination, kind).
    pub edges: Vec<Edge>,
    /// Packages from outside the repository, per file.
    pub externals: Vec<ExternalDependency>,
    /// Importance of each file; sums to 1. In order of path.
    pub file_ranks: Vec<(String, f64)>,
    /// One per directory that holds files.
    pub modules: Vec<Module>,
}

/// A resolved relation. Files are named by their place in [`LinkOutput::file_ranks`]: a snapshot can have millions of
/// these, and paths are long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// File with the mention.
    pub src: u32,
    /// Ordinal of the symbol with the mention; none at file level.
    pub src_symbol: Option<u32>,
    /// File with the declaration.
    pub dst: u32,
    /// Ordinal of the symbol meant; none if the file is meant.
    pub dst_symbol: Option<u32>,
    /// What the relation is.
    pub kind: EdgeKind,
    /// How it was resolved: 1 same file or package, 2 named import, 3 through a module, 4 through `self` or `this`,
    /// 5 through a type's name.
    pub tier: u8,
    /// Line of the first mention in the source file, from 1.
    pub line: u32,
    /// How many mentions.
    pub count: u32,
}

/// What a relation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "as in RefKind")]
pub enum EdgeKind {
    Import,
    Call,
    Type,
    Extends,
    Implements,
}

impl EdgeKind {
    /// The stable name stored in rows and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Call => "call",
            Self::Type => "type",
            Self::Extends => "extends",
            Self::Implements => "implements",
        }
    }
}

impl From<RefKind> for EdgeKind {
    fn from(kind: RefKind) -> Self {
        match kind {
            RefKind::Call => Self::Call,
            RefKind::Type => Self::Type,
            RefKind::Extends => Self::Extends,
            RefKind::Implements => Self::Implements,
        }
    }
}

/// A package from outside that a file imports. Standard libraries are left out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExternalDependency {
    /// The importing file.
    pub path: String,
    /// The package's name as its ecosystem writes it, as far as the import tells.
    pub package: String,
    /// How many imports.
    pub count: u32,
}

/// A directory that holds files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Unique in the snapshot: lower-case letters, digits and dashes.
    pub slug: String,
    /// The directory's own name, `root` for the repository's root.
    pub name: String,
    /// Slug of the nearest directory above that is a module.
    pub parent: Option<String>,
    /// The directory; empty for the root.
    pub path: String,
    /// Paths of the files directly in it.
    pub files: Vec<String>,
}

impl LinkOutput {
    /// The path of a file of an edge.
    #[must_use]
    pub fn path(&self, file: u32) -> &str {
        self.file_ranks.get(file as usize).map_or("", |(path, _)| path)
    }
}

/// Resolves what each file imports and mentions, and ranks and groups the files.
///
/// The files come in any order; of several with one path the first counts. What they mention passes by once, in order
/// of path, and is never held as a whole: there is ten times as much of it as of everything else.
#[must_use]
pub fn link(files: &[LinkFile], mentions: impl IntoIterator<Item = FileRefs>) -> LinkOutput {
    let index = Index::new(files);
    let found = edges::find(&index, mentions.into_iter());
    let paths = index.files.iter().map(|file| file.path.clone());
    LinkOutput {
        file_ranks: paths.zip(rank::ranks(&index, &found.between)).collect(),
        modules: modules::modules(&index),
        edges: found.edges,
        externals: found.externals,
    }
}
