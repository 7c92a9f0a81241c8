//! What a directory is for, in its authors' words.

use std::ops::Range;

use caffeine_store::doc_writer::SymbolRow;
use pulldown_cmark::{BrokenLink, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use crate::markdown::{Sheet, code, prose, prose_words};

/// Fewer letters than this outside of links and pictures are badges, a menu or a caption, no paragraph.
const MIN_LETTERS: usize = 20;
/// Longest heading that is a name, in characters.
const MAX_NAME: usize = 60;

/// The first paragraph of prose in a readme, as it is written there, with its lines, from 1.
pub(super) fn first_paragraph(path: &str, readme: &str) -> Option<(String, u32, u32)> {
    if is_markdown(path) { markdown_paragraph(readme) } else { plain_paragraph(readme) }
}

/// What a readme's first heading calls the project, with its line, from 1.
pub(super) fn readme_name(path: &str, readme: &str) -> Option<(String, u32)> {
    const NO_NAMES: [&str; 7] =
        ["readme", "overview", "introduction", "about", "documentation", "table of contents", "contents"];
    let mut heading = None;
    for (event, range) in parser(readme).filter(|_| is_markdown(path)) {
        match event {
            Event::Start(Tag::Heading { level: HeadingLevel::H1, .. }) => heading = Some(range.start),
            Event::End(TagEnd::Heading(HeadingLevel::H1)) => {
                let source = readme.get(heading?..range.end).unwrap_or_default();
                let underlined = source.lines().next().unwrap_or_default();
                let name = prose_words(underlined.trim_start_matches('#').trim_end_matches('#'));
                let is_name = name.chars().any(char::is_alphanumeric) && name.chars().count() <= MAX_NAME;
                let is_usual = NO_NAMES.iter().any(|usual| usual.eq_ignore_ascii_case(&name));
                return (is_name && !is_usual).then(|| (name, line_of(readme, range.start)));
            }
            _ => {}
        }
    }
    None
}

fn is_markdown(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    path.ends_with(".md") || path.ends_with(".markdown")
}

/// Reads Markdown; whatever is in brackets is a link, as its address may be missing or far below.
fn parser(readme: &str) -> impl Iterator<Item = (Event<'_>, Range<usize>)> {
    let link = |_: BrokenLink<'_>| Some((CowStr::Borrowed("link"), CowStr::Borrowed("")));
    Parser::new_with_broken_link_callback(readme, Options::empty(), Some(link)).into_offset_iter()
}

fn markdown_paragraph(readme: &str) -> Option<(String, u32, u32)> {
    let mut depth = 0_usize;
    let mut words = String::new();
    let mut in_link = 0_usize;
    for (event, range) in parser(readme) {
        match event {
            Event::Start(Tag::Paragraph) if depth == 0 => {
                words.clear();
                depth += 1;
            }
            Event::End(TagEnd::Paragraph) if depth == 1 => {
                depth = 0;
                if is_prose(&words) {
                    let source = readme.get(range.clone()).unwrap_or_default().trim_end();
                    let first = line_of(readme, range.start);
                    let last = line_of(readme, range.start + source.len().saturating_sub(1));
                    return Some((whole_sentences(&source.replace("\\\n", "\n")), first, last));
                }
            }
            Event::Start(Tag::Image { .. } | Tag::Link { .. }) => {
                in_link += 1;
                depth += 1;
            }
            Event::End(TagEnd::Image | TagEnd::Link) => {
                in_link = in_link.saturating_sub(1);
                depth = depth.saturating_sub(1);
            }
            Event::Start(_) => depth += 1,
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::Text(piece) if in_link == 0 => words.push_str(&piece),
            _ => {}
        }
    }
    None
}

/// Without a last sentence that only announces a list.
fn whole_sentences(paragraph: &str) -> String {
    match paragraph.rfind(". ").filter(|_| paragraph.ends_with(':')) {
        Some(end) => paragraph[..=end].to_owned(),
        None => paragraph.to_owned(),
    }
}

fn plain_paragraph(readme: &str) -> Option<(String, u32, u32)> {
    let mut paragraph: Vec<(u32, &str)> = Vec::new();
    for (number, line) in (1_u32..).zip(readme.lines().chain([""])) {
        if !line.trim().is_empty() {
            paragraph.push((number, line.trim()));
            continue;
        }
        let is_rule = |line: &str| !line.chars().any(char::is_alphanumeric);
        // Titles, directives with their options, and rows of `|badges|`.
        let is_markup = |line: &str| is_rule(line) || line.starts_with(".. ") || line.starts_with([':', '|']);
        let is_heading = paragraph.iter().any(|(_, line)| is_markup(line));
        let words = paragraph.iter().map(|(_, line)| *line).collect::<Vec<_>>().join(" ");
        if let (Some((first, _)), Some((last, _)), false, true) =
            (paragraph.first(), paragraph.last(), is_heading, is_prose(&words))
        {
            return Some((words, *first, *last));
        }
        paragraph.clear();
    }
    None
}

fn is_prose(words: &str) -> bool {
    words.chars().filter(|c| c.is_alphabetic()).count() >= MIN_LETTERS
}

fn line_of(text: &str, byte: usize) -> u32 {
    let before = text.as_bytes().get(..byte).unwrap_or_default();
    u32::try_from(before.iter().filter(|byte| **byte == b'\n').count()).unwrap_or(u32::MAX).saturating_add(1)
}

/// Writes what a directory is for: its readme, else the documentation of one of its files, else that of one of its
/// symbols. Says so if there is none.
pub(super) fn write_purpose(
    sheet: &mut Sheet<'_>,
    readme: Option<&(String, String)>,
    file_docs: &[SymbolRow],
    symbols: &[SymbolRow],
) {
    if let Some((path, content)) = readme
        && let Some((words, first, last)) = first_paragraph(path, content)
    {
        let citation = sheet.cite(path, first, last);
        return sheet.paragraph(&format!("> {}\n>\n> From the readme: {citation}", prose(&words)));
    }
    if let Some(doc) = file_docs.iter().find(|symbol| is_file_doc(symbol)) {
        let citation = sheet.cite(&doc.path, doc.start_line, doc.end_line);
        return sheet.paragraph(&format!("> {}\n>\n> From the file's own documentation: {citation}", prose(&doc.doc)));
    }
    if let Some(symbol) = symbols.iter().find(|symbol| !symbol.doc.is_empty()) {
        let citation = sheet.cite(&symbol.path, symbol.start_line, symbol.end_line);
        let name = code(&symbol.qualified);
        return sheet
            .paragraph(&format!("> {}\n>\n> From the documentation of {name}: {citation}", prose(&symbol.doc)));
    }
    sheet
        .paragraph("The sources do not say what this directory is for: it has no readme and no documentation comment.");
}

/// Whether the symbol stands for its file's documentation.
pub(super) fn is_file_doc(symbol: &SymbolRow) -> bool {
    symbol.kind == "module" && symbol.ordinal == 0 && symbol.signature.is_empty() && !symbol.doc.is_empty()
}

#[cfg(test)]
mod tests {
    use super::first_paragraph;

    #[test]
    fn prose_before_badges_headings_and_html() {
        let cases = [
            ("README.md", "# T\n\nA library that reads and writes things.\nQuickly.\n\nMore.", Some((3, 4))),
            (
                "readme.md",
                "<p align=center>Some centred words here in HTML</p>\n\n[![CI status of the main branch](b.svg)](x)\n\n\
                 > a quotation with enough letters in it\n\nThe *real* first paragraph is here.",
                Some((7, 7)),
            ),
            (
                "README.md",
                "[Website](https://a.example) | [Guides and books](https://b.example) | [API documentation][api]\n\n\
                 [![Crates][c]][d] [![A missing badge][e]][f]\n\nThis is what it [does](x) for people.",
                Some((5, 5)),
            ),
            (
                "README.rst",
                "T\n=\n\n|build status of main| |docs|\n\n.. |x| image:: y.png\n   :target: here\n\nIt does one thing very well.",
                Some((9, 9)),
            ),
            ("README.md", "# Only a heading, however long it may be", None),
            ("README.rst", "Title\n=====\n\n.. image:: x.png\n\nThis tool does one thing well.\nYes.\n", Some((6, 7))),
            ("README", "", None),
        ];
        for (path, readme, expected) in cases {
            let found = first_paragraph(path, readme);
            assert_eq!(found.as_ref().map(|(_, first, last)| (*first, *last)), expected, "{found:?}");
        }
    }

    #[test]
    fn the_name_is_the_first_heading() {
        for (path, readme, expected) in [
            ("README.md", "<p>x</p>\n\n# The `Queue` &emsp; [![CI](a.svg)](b)\n", Some(("The Queue", 3))),
            ("README.md", "Queue\n=====\n\nText\n", Some(("Queue", 1))),
            ("README.md", "## Usage\n\n# Readme\n", None),
            ("README.md", "# ![only a picture](a.png)\n", None),
            ("README.rst", "# no heading here\n", None),
        ] {
            let found = super::readme_name(path, readme);
            assert_eq!(found.as_ref().map(|(name, line)| (name.as_str(), *line)), expected, "{readme}");
        }
    }
}
