//! What a chunk is embedded with.

use crate::text::one_line;
use crate::{Chunk, Language};

/// The longest header, in characters.
const MAX_HEADER_CHARS: usize = 300;

/// What stands before a chunk's text when it is embedded, without a line end: path, language, scope and signature, at most 300
/// characters.
#[must_use]
pub fn header(path: &str, language: Language, scope: &str, signature: Option<&str>) -> String {
    let mut header = format!("{path} ({})", language.as_str());
    for part in [scope, signature.unwrap_or_default()] {
        if !part.is_empty() {
            header.push_str(" | ");
            header.push_str(part);
        }
    }
    one_line(&header, MAX_HEADER_CHARS)
}

/// The text that is embedded for a chunk: its header, a line end, its own text.
#[must_use]
pub fn embedding_text(path: &str, chunk: &Chunk, text: &str) -> String {
    let header = header(path, Language::of_path(path), &chunk.scope, chunk.signature.as_deref());
    format!("{header}\n{text}")
}

#[cfg(test)]
mod tests {
    use super::{MAX_HEADER_CHARS, header};
    use crate::Language;

    #[test]
    fn empty_parts_leave_no_trace() {
        assert_eq!(header("a.rs", Language::Rust, "", None), "a.rs (rust)");
        assert_eq!(
            header("a.rs", Language::Rust, "impl A > fn b", Some("fn b(\n  x: u8)")),
            "a.rs (rust) | impl A > fn b | fn b( x: u8)"
        );
    }

    #[test]
    fn it_is_bounded_and_one_line() {
        let long = header(&"ü/".repeat(2_000), Language::Text, "a\nb", None);
        assert_eq!(long.chars().count(), MAX_HEADER_CHARS);
        assert!(!long.contains('\n'));
    }
}
