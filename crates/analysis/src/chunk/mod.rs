//! Cutting a text into pieces.

use tree_sitter::Tree;

use crate::languages::Outline;
use crate::text::LineIndex;
use crate::{Category, Chunk, Language};

pub(crate) fn chunks(
    language: Language,
    category: Category,
    text: &str,
    lines: &LineIndex,
    tree: Option<&Tree>,
    outline: &Outline,
) -> Vec<Chunk> {
    let _ = (language, category, text, lines, tree, outline);
    Vec::new()
}

/// The longest header, in characters.
pub const MAX_HEADER_CHARS: usize = 300;

/// What stands before a chunk's text when it is embedded, without its line end: path, language, scope and signature.
#[must_use]
pub fn header(path: &str, language: Language, scope: &str, signature: Option<&str>) -> String {
    let mut header = format!("{path} ({})", language.as_str());
    for part in [scope, signature.unwrap_or_default()] {
        if !part.is_empty() {
            header.push_str(" | ");
            header.push_str(part);
        }
    }
    crate::text::one_line(&header, MAX_HEADER_CHARS)
}

/// The text that is embedded for a chunk: its header, a line end, its own text.
#[must_use]
pub fn embedding_text(path: &str, chunk: &Chunk, text: &str) -> String {
    let header = header(
        path,
        Language::of_path(path),
        &chunk.scope,
        chunk.signature.as_deref(),
    );
    format!("{header}\n{text}")
}
