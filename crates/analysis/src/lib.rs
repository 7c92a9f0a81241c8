//! What the bytes of a repository say, without asking anybody.
//!
//! # Purpose
//! Two pure functions. [`analyse`] takes one file (path and bytes) and answers with its text, language, category, chunks,
//! symbols, imports and references. [`link()`] takes the analyses of a whole snapshot and answers with the edges between them,
//! file ranks, modules and external dependencies.
//!
//! # Non-goals
//! No IO, no clock, no randomness, no configuration: the chunker service owns those. No name guessing: an edge is emitted only
//! where an import or a scope proves it. No `.gitattributes`: that belongs to the snapshot, and a file's analysis depends on
//! nothing but its path and its bytes.
//!
//! # Invariants
//! - The same input gives the same output, byte for byte, on every machine. The parse budget counts the parser's steps and
//!   reads, not seconds; a clock only ends what would keep a processor for more than two of them.
//! - Chunks tile the text exactly: every byte is in one chunk, and no chunk is larger than [`MAX_CHUNK_NWS`].
//! - Nothing panics, whatever the bytes are; recursion is capped and every list is bounded.
//! - Raise `caffeine_model::ANALYSER` with every change that alters any output; rows of another version are analysed again.
//!
//! # Conventions
//! A file's own documentation (`//!`, a module docstring, a package comment) is its first symbol: a `Module` without signature,
//! not exported, whose lines are those of the comment. Mentions are one per place and target, with a count.
//!
//! # How to add a language
//! 1. Add the variant to [`Language`] (name, extensions) and its grammar in `parse.rs`.
//! 2. Write `languages/<name>.rs`: one `enter` function that looks at a node and records what it declares or mentions.
//! 3. Name its own resolution in `link/`, or leave it: then it has symbols and chunks, but no edges.

mod analyse;
mod category;
mod chunk;
mod clock;
mod decode;
mod file;
mod gate;
mod language;
mod languages;
pub mod link;
pub mod manifest;
mod nesting;
mod parse;
#[cfg(any(test, fuzzing))]
pub mod properties;
mod symbol;
mod text;

pub use analyse::analyse;
pub use category::Category;
pub use chunk::{embedding_text, header};
pub use file::{Chunk, ChunkKind, FileAnalysis, ParseQuality, SkipReason};
pub use language::Language;
pub use link::{FileRefs, LinkFile, LinkImport, LinkOutput, LinkSymbol, link};
pub use manifest::{EntryPoint, EntryPointKind, Manifest, ManifestKind, parse_manifest};
pub use symbol::{Import, ImportKind, ImportedName, Ref, RefKind, Symbol, SymbolKind, Visibility};

/// Identifies the rules of this crate; stored with every derived row.
pub const ANALYSER_VERSION: &str = caffeine_model::ANALYSER;

/// The largest chunk, in characters that are not whitespace.
///
/// A chunk is also at most eight times as many bytes, so that deep indentation cannot make one without bound.
pub const MAX_CHUNK_NWS: usize = 1200;

/// The largest file that is analysed, in bytes. Larger ones are skipped as [`SkipReason::TooLarge`].
pub const MAX_PARSE_BYTES: usize = 768 * 1024;

/// The parse budget of a file, in units of a hundred parser operations.
///
/// Counted, not timed: a clock would make the result depend on the load of the machine. The largest ordinary file takes about
/// 30,000 units and a fraction of a second; text made to confuse a grammar costs up to ten times as much per unit. What nests
/// too deep to be parsed in time is found beforehand.
pub const PARSE_BUDGET: u32 = 48_000;

/// How often a parser may ask for the next kibibyte of a file.
///
/// A file is at most 768 of them, and ordinary text is read about twice. Where a scanner goes to the end of the file for
/// each token, as behind `#!` in Rust, the budget is used up after about half a second instead of minutes.
pub const READ_BUDGET: u32 = 100_000;
