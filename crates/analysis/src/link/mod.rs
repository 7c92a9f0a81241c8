//! From the analyses of all files of a snapshot to the graph between them.

mod ecmascript;
mod edges;
mod go;
mod index;
mod java;
mod modules;
mod names;
mod packages;
mod python;
mod rank;
mod rust;
mod rust_tree;
mod standard;

use serde::{Deserialize, Serialize};

use self::index::Index;

use crate::{Category, Import, Language, Manifest, Ref, RefKind, Symbol};

/// All files of a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LinkInput {
    /// In any order; [`link`] sorts by path. Of several files with one path the first counts.
    pub files: Vec<LinkFile>,
}

/// What linking needs of one file. Skipped and binary files belong here too: they are part of their module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkFile {
    /// Path in the repository.
    pub path: String,
    /// As analysed.
    pub language: Language,
    /// As analysed.
    pub category: Category,
    /// If it is a package manifest.
    pub manifest: Option<Manifest>,
    /// As analysed.
    pub symbols: Vec<Symbol>,
    /// As analysed.
    pub imports: Vec<Import>,
    /// As analysed.
    pub refs: Vec<Ref>,
}

/// The graph of a snapshot. Every list is sorted by its fields in their order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LinkOutput {
    /// Resolved relations, one per (source, destination, kind).
    pub edges: Vec<Edge>,
    /// Packages from outside the repository, per file.
    pub externals: Vec<ExternalDependency>,
    /// Importance of each file; sums to 1. In order of path.
    pub file_ranks: Vec<(String, f64)>,
    /// One per directory that holds files.
    pub modules: Vec<Module>,
    /// Relations between different modules.
    pub module_edges: Vec<ModuleEdge>,
}

/// A resolved relation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Edge {
    /// File with the mention.
    pub src_path: String,
    /// Ordinal of the symbol with the mention; none at file level.
    pub src_symbol: Option<u32>,
    /// File with the declaration.
    pub dst_path: String,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ExternalDependency {
    /// The importing file.
    pub path: String,
    /// The package's name as its ecosystem writes it, as far as the import tells.
    pub package: String,
    /// How many imports.
    pub count: u32,
}

/// A directory that holds files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

/// How much one module uses another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ModuleEdge {
    /// Slug of the using module.
    pub src: String,
    /// Slug of the used module.
    pub dst: String,
    /// Sum of the mentions.
    pub weight: u32,
}

/// Resolves what each file imports and mentions, and ranks and groups the files.
#[must_use]
pub fn link(input: &LinkInput) -> LinkOutput {
    let index = Index::new(&input.files);
    let found = edges::find(&index);
    let between = found.between_files();
    let paths = index.files.iter().map(|file| file.path.clone());
    LinkOutput {
        edges: found.edges(&index),
        externals: found.externals(&index),
        file_ranks: paths.zip(rank::ranks(&index, &between)).collect(),
        modules: modules::modules(&index),
        module_edges: modules::edges(&index, &between),
    }
}
