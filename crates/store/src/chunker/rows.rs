//! Rows of the chunker's tables. Words (kinds, languages, …) are those of the analysis.

use std::sync::Arc;

use caffeine_model::{FileVersionId, Oid, RepoPath};

/// The analysis of one file version.
#[derive(Debug, Clone, PartialEq)]
pub struct FileVersionRow {
    /// Which file version.
    pub id: FileVersionId,
    /// Its path.
    pub path: RepoPath,
    /// Its content.
    pub oid: Oid,
    /// The language's word.
    pub language: String,
    /// What the file is for.
    pub category: String,
    /// Encoding of the bytes; empty for a binary file.
    pub encoding: String,
    /// Lines.
    pub lines: u32,
    /// Lines that are neither blank nor only a comment.
    pub source_lines: u32,
    /// How well the grammar understood it.
    pub parse_quality: String,
    /// Why it has no chunks and no symbols.
    pub skip_reason: Option<String>,
    /// Of a package manifest, what it says.
    pub manifest: Option<serde_json::Value>,
    /// The decoded text, zstd; absent if skipped.
    pub text_zstd: Option<Vec<u8>>,
    /// What it declares.
    pub symbols: Vec<SymbolRow>,
    /// What it imports.
    pub imports: Vec<ImportRow>,
    /// What it mentions.
    pub refs: Vec<RefRow>,
}

/// Something a file declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SymbolRow {
    /// Position in the file, from 0.
    pub ordinal: u32,
    /// Ordinal of the symbol around it.
    pub parent: Option<u32>,
    /// What it is.
    pub kind: String,
    /// Its own name.
    pub name: String,
    /// Its name with those around it.
    pub qualified: String,
    /// The declaration without its body.
    pub signature: String,
    /// First paragraph of its documentation.
    pub doc: String,
    /// Who may name it.
    pub visibility: String,
    /// Whether other files can reach it.
    pub exported: bool,
    /// First line, from 1.
    pub start_line: u32,
    /// Last line, inclusive.
    pub end_line: u32,
    /// First byte of the text.
    pub start_byte: u32,
    /// One past the last byte.
    pub end_byte: u32,
}

/// An import of a file; its ordinal is its place in the list.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportRow {
    /// The statement.
    pub raw: String,
    /// What is imported from.
    pub module: String,
    /// `[{"name": …, "alias": …}]`
    pub names: serde_json::Value,
    /// What kind of statement it is.
    pub kind: String,
    /// Its line, from 1.
    pub line: u32,
}

/// A mention of something that may be declared elsewhere; its ordinal is its place in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefRow {
    /// The last part of what is mentioned.
    pub name: String,
    /// What stands before it.
    pub receiver: Option<String>,
    /// How it is mentioned.
    pub kind: String,
    /// Ordinal of the symbol around it.
    pub enclosing: Option<u32>,
    /// Line of the first such mention, from 1.
    pub line: u32,
    /// How many such mentions there are.
    pub count: u32,
}

/// A resolved relation between two files or symbols of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeRow {
    /// File with the mention.
    pub src_path: Arc<str>,
    /// Ordinal of the symbol with the mention.
    pub src_symbol: Option<u32>,
    /// File with the declaration.
    pub dst_path: Arc<str>,
    /// Ordinal of the symbol meant.
    pub dst_symbol: Option<u32>,
    /// What the relation is.
    pub kind: &'static str,
    /// How it was resolved.
    pub tier: u8,
    /// Line of the first mention, from 1.
    pub line: u32,
    /// How many mentions.
    pub count: u32,
}

/// A module of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleRow {
    /// Unique in the snapshot.
    pub slug: String,
    /// The directory's name.
    pub name: String,
    /// Slug of the module around it.
    pub parent: Option<String>,
    /// The directory; empty for the top.
    pub path: String,
}

/// Where a file belongs, and its weight in the graph.
#[derive(Debug, Clone, PartialEq)]
pub struct ModuleFileRow {
    /// The file.
    pub path: String,
    /// Slug of its module.
    pub module: String,
    /// Its share of the rank.
    pub rank: f64,
}

/// A package from outside that a file imports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalDependencyRow {
    /// The importing file.
    pub path: String,
    /// The package.
    pub package: String,
    /// How many imports.
    pub count: u32,
}
