//! Small measures and cuts of text.

/// Answers which line a byte is on, and what lies on a line.
pub(crate) struct LineIndex {
    /// First byte of each line.
    starts: Vec<usize>,
    length: usize,
}

impl LineIndex {
    pub(crate) fn new(text: &str) -> Self {
        let mut starts = vec![0];
        for (at, byte) in text.bytes().enumerate() {
            if byte == b'\n' {
                starts.push(at + 1);
            }
        }
        Self { starts, length: text.len() }
    }

    /// Lines; a last line without an end counts, an empty one does not.
    pub(crate) fn count(&self) -> usize {
        match self.starts.last() {
            Some(last) if *last == self.length => self.starts.len() - 1,
            _ => self.starts.len(),
        }
    }

    /// Line of a byte, from 1.
    pub(crate) fn line_of(&self, byte: usize) -> u32 {
        clamp(self.starts.partition_point(|start| *start <= byte))
    }

    /// The ranges of all lines, line ends included.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.starts.iter().enumerate().map(|(index, start)| {
            let end = self.starts.get(index + 1).copied().unwrap_or(self.length);
            (*start, end)
        })
    }
}

/// A count or offset of a file that is at most a few MiB.
pub(crate) fn clamp(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// On one line, whitespace collapsed, at most `max` characters (with `…` if that cut something).
pub(crate) fn one_line(text: &str, max: usize) -> String {
    let mut line = String::new();
    let mut length = 0;
    for (number, word) in text.split_whitespace().enumerate() {
        let separator = (number > 0).then_some(' ');
        for character in separator.into_iter().chain(word.chars()) {
            if length + 1 >= max {
                line.push('…');
                return line;
            }
            line.push(character);
            length += 1;
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::{LineIndex, one_line};

    #[test]
    fn lines_are_counted_as_editors_do() {
        for (text, count) in [("", 0), ("a", 1), ("a\n", 1), ("a\nb", 2), ("\n\n", 2), ("a\r\nb\r\n", 2)] {
            assert_eq!(LineIndex::new(text).count(), count, "{text:?}");
        }
        let index = LineIndex::new("ab\nc\n");
        let lines: Vec<_> = (0..5).map(|byte| index.line_of(byte)).collect();
        assert_eq!(lines, [1, 1, 1, 2, 2]);
        assert_eq!(index.ranges().collect::<Vec<_>>(), [(0, 3), (3, 5), (5, 5)]);
    }

    #[test]
    fn one_line_collapses_and_cuts() {
        assert_eq!(one_line("  fn  f(\n\ta: b,\r\n)", 400), "fn f( a: b, )");
        assert_eq!(one_line("äöüß", 3), "äö…");
        // The cut falls on the space between two words.
        assert_eq!(one_line("ab cd", 3), "ab…");
        assert_eq!(one_line("", 3), "");
    }
}
