//! Documentation comments without their markers.

use tree_sitter::Node;

use super::nodes::text_of;
use crate::text::one_line;

/// The longest documentation that is kept, in characters.
const MAX_DOC_CHARS: usize = 1_000;

/// How much of a comment is read, in bytes: its first paragraph is not longer than that.
const MAX_READ: usize = 16 * 1024;

/// The first paragraph of lines whose markers are gone.
pub(super) fn paragraph<'line>(lines: impl IntoIterator<Item = &'line str>) -> String {
    let mut paragraph = String::new();
    for line in lines {
        let line = line.trim();
        let is_tag = line.starts_with('@') && !line.starts_with("@link");
        if is_tag || (line.is_empty() && !paragraph.is_empty()) {
            break;
        }
        if paragraph.len() > MAX_READ {
            break;
        }
        paragraph.push_str(line);
        paragraph.push(' ');
    }
    one_line(&paragraph, MAX_DOC_CHARS)
}

/// The first paragraph of a `/* */` comment.
pub(super) fn block(comment: &str) -> String {
    let inner = comment.strip_suffix("*/").unwrap_or(comment);
    let inner = inner.trim_start_matches('/').trim_start_matches(['*', '!']);
    paragraph(inner.lines().map(|line| {
        let line = line.trim();
        line.strip_prefix("*").unwrap_or(line)
    }))
}

/// The documentation among the comments before a declaration, in the manner of JSDoc and Javadoc: the last one with two stars.
pub(super) fn starred(text: &str, lead: &[Node<'_>]) -> String {
    let comments = lead.iter().rev().map(|node| text_of(text, *node));
    for comment in comments {
        if comment.starts_with("/**") && comment.len() > 5 {
            return block(comment);
        }
    }
    String::new()
}

/// The comments that end directly above `row`: each on its own line, no gap.
pub(super) fn adjacent_run<'lead, 'tree>(text: &str, lead: &'lead [Node<'tree>], row: usize) -> &'lead [Node<'tree>] {
    let mut first = lead.len();
    let mut expected = row;
    for (index, node) in lead.iter().enumerate().rev() {
        if node.end_position().row + 1 != expected || !starts_its_line(text, *node) {
            break;
        }
        expected = node.start_position().row;
        first = index;
    }
    lead.get(first..).unwrap_or_default()
}

/// The documentation in the comments directly above `row`.
pub(super) fn adjacent(text: &str, lead: &[Node<'_>], row: usize, marker: &str) -> String {
    let comments: Vec<&str> = adjacent_run(text, lead, row).iter().map(|node| text_of(text, *node)).collect();
    match comments.as_slice() {
        [single] if single.starts_with("/*") => block(single),
        lines => {
            paragraph(lines.iter().filter_map(|line| line.strip_prefix(marker)).filter(|line| !is_directive(line)))
        }
    }
}

/// `go:generate`, `nolint` and their like are for tools.
fn is_directive(line: &str) -> bool {
    let is_word = |character: char| character.is_ascii_lowercase();
    line.split_once(':')
        .is_some_and(|(word, rest)| !word.is_empty() && word.chars().all(is_word) && rest.starts_with(is_word))
}

fn starts_its_line(text: &str, node: Node<'_>) -> bool {
    let before = text.get(..node.start_byte()).unwrap_or_default();
    let line = before.get(before.rfind('\n').map_or(0, |at| at + 1)..).unwrap_or_default();
    line.trim().is_empty()
}

/// The first paragraph of a Python docstring literal.
pub(super) fn docstring(literal: &str) -> String {
    let literal = literal.trim_start_matches(['r', 'R', 'u', 'U', 'b', 'B', 'f', 'F']);
    let inner = ["\"\"\"", "'''", "\"", "'"]
        .iter()
        .find_map(|quote| literal.strip_prefix(quote).map(|rest| rest.strip_suffix(quote).unwrap_or(rest)))
        .unwrap_or(literal);
    paragraph(inner.lines())
}

#[cfg(test)]
mod tests {
    use super::{block, docstring};

    #[test]
    fn the_first_paragraph_without_markers() {
        let cases = [
            ("/** One. */", "One."),
            ("/**\n * One\n * two.\n *\n * Three.\n */", "One two."),
            ("/**\n * One.\n * @param a b\n */", "One."),
            ("/*!\n  One.\n*/", "One."),
            ("/**/", ""),
        ];
        for (comment, expected) in cases {
            assert_eq!(block(comment), expected, "{comment}");
        }
        assert_eq!(docstring("r\"\"\"One\n    two.\n\n    Three.\"\"\""), "One two.");
        assert_eq!(docstring("'One'"), "One");
        assert_eq!(docstring("\"\"\""), "");
    }
}
