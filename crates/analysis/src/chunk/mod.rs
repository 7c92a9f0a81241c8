//! Cutting a text into chunks.
//!
//! Split, then merge, without loss: a tree node that fits is a piece; one that does not is replaced by its children; a leaf that
//! does not is cut into lines; neighbours are packed together while they fit. Nothing is dropped and nothing overlaps, so a chunk
//! is a byte range and all chunks together are the file. Where a chunk stands is said by its header, which is embedded with it
//! and never quoted.

mod cover;
mod header;
mod marks;
mod measure;
mod place;
mod syntax;

use tree_sitter::Tree;

pub use self::header::{embedding_text, header};
pub(crate) use self::marks::Mark;
use self::marks::{Marked, paragraphs};
use self::measure::Measure;
use crate::languages::Outline;
use crate::text::LineIndex;
use crate::{Category, Chunk, ChunkKind, Language};

/// The chunks of a text that is not empty.
pub(crate) fn chunks(
    kind: ChunkKind,
    text: &str,
    lines: &LineIndex,
    tree: Option<&Tree>,
    outline: &Outline,
) -> Vec<Chunk> {
    let measure = Measure::new(text);
    let ranges = match tree {
        Some(tree) => cover::cover(&measure, tree.root_node()),
        None if outline.marks.is_empty() => cover::cover(&measure, Marked::new(text.len(), &paragraphs(text))),
        None => cover::cover(&measure, Marked::new(text.len(), &outline.marks)),
    };
    place::place(kind, text, lines, outline, &ranges)
}

/// What kind of text the chunks of a file are.
pub(crate) fn kind(language: Language, category: Category) -> ChunkKind {
    if category == Category::Data {
        ChunkKind::Text
    } else if language.is_prose() || (category == Category::Docs && language == Language::Text) {
        ChunkKind::Prose
    } else if language.is_config() || (category == Category::Config && language == Language::Text) {
        ChunkKind::Config
    } else if language.is_code() {
        ChunkKind::Code
    } else {
        ChunkKind::Text
    }
}
