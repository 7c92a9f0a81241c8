//! A page in the making: its text, and the lines it points at.

use std::collections::BTreeSet;
use std::fmt::Write;

use caffeine_store::doc_writer::CitationRow;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{code, text};
use crate::facts::Facts;

/// What is encoded of a path in a relative address: everything but letters, digits, `-._~` and the slash.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// A finished page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its text.
    pub markdown: String,
    /// The lines it points at, each once, in the order in which they first appear.
    pub citations: Vec<CitationRow>,
}

/// Collects the text of a page and its citations. Every citation made here points at lines that exist.
pub struct Sheet<'facts> {
    facts: &'facts Facts,
    markdown: String,
    citations: Vec<CitationRow>,
    cited: BTreeSet<CitationRow>,
}

impl<'facts> Sheet<'facts> {
    /// An empty page with a title, which may be foreign.
    #[must_use]
    pub fn new(facts: &'facts Facts, title: &str) -> Self {
        let mut sheet = Self { facts, markdown: String::new(), citations: Vec::new(), cited: BTreeSet::new() };
        sheet.heading(1, &text(title));
        sheet
    }

    /// A page without a title of its own.
    pub(crate) fn untitled(facts: &'facts Facts) -> Self {
        Self { facts, markdown: String::new(), citations: Vec::new(), cited: BTreeSet::new() }
    }

    /// A heading of finished Markdown.
    pub(crate) fn heading(&mut self, level: usize, markdown: &str) {
        self.block(&format!("{} {markdown}\n", "#".repeat(level)));
    }

    /// A paragraph of finished Markdown.
    pub(crate) fn paragraph(&mut self, markdown: &str) {
        self.block(&format!("{markdown}\n"));
    }

    /// Any block of finished Markdown that ends with a line end; an empty line goes before it.
    pub(crate) fn block(&mut self, markdown: &str) {
        if !self.markdown.is_empty() {
            self.markdown.push('\n');
        }
        self.markdown.push_str(markdown);
    }

    /// A list of finished Markdown; nothing for no items.
    pub(crate) fn list(&mut self, items: &[String]) {
        if !items.is_empty() {
            let lines: String = items.iter().map(|item| format!("- {item}\n")).collect();
            self.block(&lines);
        }
    }

    /// A table of finished Markdown; nothing for no rows. A header that ends with `:` is a column of numbers.
    pub(crate) fn table(&mut self, header: &[&str], rows: &[Vec<String>]) {
        if rows.is_empty() {
            return;
        }
        let mut table = String::new();
        for name in header {
            let _ = write!(table, "| {} ", name.trim_end_matches(':'));
        }
        table.push_str("|\n");
        for name in header {
            table.push_str(if name.ends_with(':') { "| ---: " } else { "| --- " });
        }
        table.push_str("|\n");
        for row in rows {
            for cell in row {
                let _ = write!(table, "| {cell} ");
            }
            table.push_str("|\n");
        }
        self.block(&table);
    }

    /// A link to lines of a file, cut to the lines it has; only its path if it has none that can be shown.
    pub(crate) fn cite(&mut self, path: &str, start_line: u32, end_line: u32) -> String {
        let Some(file) = self.facts.file(path).filter(|file| file.has_text && file.lines > 0) else {
            return code(path);
        };
        let start_line = start_line.clamp(1, file.lines);
        let end_line = end_line.clamp(start_line, file.lines);
        let citation = CitationRow { path: path.to_owned(), start_line, end_line, oid: file.oid };
        if self.cited.insert(citation.clone()) {
            self.citations.push(citation);
        }
        let lines =
            if start_line == end_line { format!("L{start_line}") } else { format!("L{start_line}-L{end_line}") };
        format!("[{}](sources/{}#{lines})", code(&format!("{path}:{lines}")), utf8_percent_encode(path, ENCODED))
    }

    /// What it is written from.
    pub(crate) fn facts(&self) -> &'facts Facts {
        self.facts
    }

    /// The finished page.
    pub(crate) fn finish(self) -> Written {
        Written { markdown: self.markdown, citations: self.citations }
    }
}

#[cfg(test)]
mod tests {
    use super::Sheet;
    use crate::facts::sample;

    #[test]
    fn citations_point_at_lines_that_exist() {
        let facts = sample::facts();
        let mut sheet = Sheet::new(&facts, "T");
        assert_eq!(sheet.cite("src/lib.rs", 3, 3), "[`src/lib.rs:L3`](sources/src/lib.rs#L3)");
        assert_eq!(sheet.cite("src/lib.rs", 0, 9_999), "[`src/lib.rs:L1-L40`](sources/src/lib.rs#L1-L40)");
        assert_eq!(sheet.cite("src/lib.rs", 99, 2), "[`src/lib.rs:L40`](sources/src/lib.rs#L40)");
        assert_eq!(sheet.cite("logo.png", 1, 1), "`logo.png`", "it has no text");
        assert_eq!(sheet.cite("absent", 1, 1), "`absent`");
        assert_eq!(sheet.cite("src/lib.rs", 3, 3), "[`src/lib.rs:L3`](sources/src/lib.rs#L3)");
        assert_eq!(sheet.finish().citations.len(), 3, "each once");
    }

    #[test]
    fn hostile_paths_stay_inside_their_link() {
        let facts = sample::facts();
        let mut sheet = Sheet::new(&facts, "T");
        let link = sheet.cite(sample::HOSTILE_PATH, 1, 1);
        assert!(link.ends_with("(sources/src/a%20%5Bb%5D%28javascript%3Ax%29%60%20%3Cimg%3E%20%7C.rs#L1)"), "{link}");
    }
}
