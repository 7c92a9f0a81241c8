//! The analysis of one file.

use serde::{Deserialize, Serialize};

use crate::{Category, Import, Language, Ref, Symbol};

/// Everything one file says about itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileAnalysis {
    /// Detected from the path, or from the first line (`#!`).
    pub language: Language,
    /// What the file is for.
    pub category: Category,
    /// Name of the encoding the bytes were in, e.g. `utf-8` or `windows-1252`; empty for a binary file.
    pub encoding: String,
    /// The text in UTF-8 without a byte order mark, line endings kept. Empty if the file was skipped before it was decoded.
    /// Never contains NUL.
    pub text: String,
    /// Lines.
    pub loc: u32,
    /// Lines that are neither blank nor (in a parsed language) only a comment.
    pub sloc: u32,
    /// Why there are no chunks and no symbols. Generated and vendored files are not skipped: they have symbols and imports, and
    /// their `category` says why they have no chunks.
    pub skip: Option<SkipReason>,
    /// How well the grammar understood the text.
    pub parse: ParseQuality,
    /// In order; they tile `text` exactly.
    pub chunks: Vec<Chunk>,
    /// In order of their start.
    pub symbols: Vec<Symbol>,
    /// In order of their line.
    pub imports: Vec<Import>,
    /// In order of their first line; one per (enclosing symbol, kind, receiver, name).
    pub refs: Vec<Ref>,
}

/// A piece of a file that is embedded, found and quoted as one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// Position in the file, from 0.
    pub ordinal: u32,
    /// First byte in [`FileAnalysis::text`].
    pub start_byte: u32,
    /// One past the last byte.
    pub end_byte: u32,
    /// Line of the first byte that is not whitespace, from 1.
    pub start_line: u32,
    /// Line of the last byte that is not whitespace, inclusive.
    pub end_line: u32,
    /// What kind of text it is.
    pub kind: ChunkKind,
    /// Where it stands: `impl Foo > fn bar`, a heading breadcrumb `H1 > H2`, or a key path. May be empty.
    pub scope: String,
    /// Qualified name of the innermost symbol around the chunk, else of the largest one in it.
    pub symbol: Option<String>,
    /// Signature of the enclosing symbol, if the chunk starts inside it and so does not show it.
    pub signature: Option<String>,
}

impl Chunk {
    /// The chunk's part of the file's text; empty if the range does not fit it.
    #[must_use]
    pub fn slice<'text>(&self, text: &'text str) -> &'text str {
        text.get(self.start_byte as usize..self.end_byte as usize).unwrap_or_default()
    }
}

/// What kind of text a chunk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChunkKind {
    /// Program text.
    Code,
    /// Documentation.
    Prose,
    /// Settings and manifests.
    Config,
    /// Anything else.
    Text,
}

impl ChunkKind {
    /// The stable name stored in rows and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Prose => "prose",
            Self::Config => "config",
            Self::Text => "text",
        }
    }
}

/// How well the grammar understood the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParseQuality {
    /// Without errors.
    Full,
    /// With errors; what was recognised is used.
    Errors,
    /// It nests too deep or the budget ran out; the file is treated as plain text.
    TimedOut,
    /// There is no grammar for it, or the file was skipped.
    NotParsed,
}

impl ParseQuality {
    /// The stable name stored in rows and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Errors => "errors",
            Self::TimedOut => "timed_out",
            Self::NotParsed => "not_parsed",
        }
    }
}

/// Why a file has no chunks and no symbols.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// No bytes, or only whitespace.
    Empty,
    /// Larger than [`crate::MAX_PARSE_BYTES`].
    TooLarge,
    /// Contains NUL bytes.
    Binary,
    /// A pointer of Git LFS; the content is not in the repository.
    LfsPointer,
    /// Neither UTF-8 nor any encoding that could be guessed.
    InvalidEncoding,
    /// Machine-made long lines.
    Minified,
}

impl SkipReason {
    /// The stable code stored in rows and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLarge => "too_large",
            Self::Binary => "binary",
            Self::LfsPointer => "lfs_pointer",
            Self::InvalidEncoding => "invalid_encoding",
            Self::Minified => "minified",
        }
    }

    /// A sentence for a reader of the analysis report.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Empty => "The file is empty.",
            Self::TooLarge => "The file is larger than the analysis limit of 768 KiB.",
            Self::Binary => "The file is binary.",
            Self::LfsPointer => "The file's content is kept in Git LFS, outside the repository.",
            Self::InvalidEncoding => "The file's text encoding could not be determined.",
            Self::Minified => "The file is minified: its lines are too long to be written by hand.",
        }
    }
}
