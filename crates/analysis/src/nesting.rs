//! How deep a text nests, found before a parser sees it.

use std::collections::BTreeSet;

/// The most open brackets of one kind. A parser's time grows with the square of the depth: with a thousand it stays below that
/// of ordinary text, with ten thousand it is seconds, with a hundred thousand hours.
const MAX_BRACKETS: usize = 1_000;

/// Whether more brackets of one kind are open at once than anybody writes. Those in strings count too: a file that has so many
/// unbalanced ones is a table of brackets.
pub(crate) fn brackets_too_deep(text: &str) -> bool {
    let (mut round, mut square, mut curly, mut angle) = (0_usize, 0_usize, 0_usize, 0_usize);
    for byte in text.bytes() {
        match byte {
            b'(' => round += 1,
            b')' => round = round.saturating_sub(1),
            b'[' => square += 1,
            b']' => square = square.saturating_sub(1),
            b'{' => curly += 1,
            b'}' => curly = curly.saturating_sub(1),
            b'<' => angle += 1,
            b'>' => angle = angle.saturating_sub(1),
            _ => {}
        }
        // An angle may be a comparison; no type goes on behind the end of a statement or block.
        if matches!(byte, b';' | b'{' | b'}') {
            angle = 0;
        }
        if round.max(square).max(curly).max(angle) > MAX_BRACKETS {
            return true;
        }
    }
    false
}

/// The most different indentations of a Python file that is parsed.
const MAX_INDENTS: usize = 256;

/// Python's scanner keeps its stack of indentations in a fixed buffer and writes past its end: from 511 of them inside a
/// string, from fewer inside strings in strings (the assertion that finds out ends the process). The stack grows strictly, so
/// it is never higher than there are different indentations. These are counted as the scanner does: a backslash before a line
/// end continues the count.
pub(crate) fn indents_too_deep(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut widths = BTreeSet::new();
    let line_starts =
        bytes.iter().enumerate().filter(|(_, byte)| matches!(byte, b'\n' | b'\r' | b'\x0c')).map(|(at, _)| at + 1);
    for start in line_starts {
        let mut width = 0_u16;
        let mut rest = bytes.get(start..).unwrap_or_default();
        loop {
            rest = match rest {
                [b' ', rest @ ..] => {
                    width = width.wrapping_add(1);
                    rest
                }
                [b'\t', rest @ ..] => {
                    width = width.wrapping_add(8);
                    rest
                }
                [b'\\', b'\r', b'\n', rest @ ..] | [b'\\', b'\n', rest @ ..] => rest,
                _ => break,
            };
            // Nobody indents like that, and looking at it from each of its lines would take long.
            if rest.len() + 4_000 < bytes.len().saturating_sub(start) {
                return true;
            }
        }
        widths.insert(width);
        if widths.len() > MAX_INDENTS {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{brackets_too_deep, indents_too_deep};

    #[test]
    fn brackets_are_counted_by_kind() {
        for opening in ["(", "[", "{ x: ", "Vec<"] {
            assert!(!brackets_too_deep(&opening.repeat(1_000)), "{opening}");
            assert!(brackets_too_deep(&opening.repeat(1_001)), "{opening}");
        }
        for balanced in ["f(a[0]) { b<c> }", "if a < b { c }", "a < b;", "((", "<<"].map(|text| text.repeat(400)) {
            assert!(!brackets_too_deep(&balanced), "{balanced}");
        }
    }

    #[test]
    fn indentations_are_counted_as_pythons_scanner_does() {
        let nested = |depth: usize| (0..depth).map(|level| format!("{}if x:\n", " ".repeat(level))).collect::<String>();
        assert!(!indents_too_deep(&nested(250)));
        assert!(indents_too_deep(&nested(300)));
        let continued: String = (0..300).map(|level| format!("if x:\n{}y\n", " \\\n".repeat(level))).collect();
        assert!(indents_too_deep(&continued));
        assert!(!indents_too_deep(&"if x:\n    y\n\tz\n".repeat(1_000)));
        assert!(indents_too_deep(&"\\\n".repeat(100_000)));
    }
}
