//! What a directory is for, in its authors' words.

use caffeine_store::doc_writer::SymbolRow;
use pulldown_cmark::{Event, Parser, Tag, TagEnd};

use crate::markdown::{Sheet, code, text};

/// Fewer letters than this are a badge or a caption, no paragraph.
const MIN_LETTERS: usize = 20;

/// The first paragraph of prose in a readme with its lines, from 1.
pub(super) fn first_paragraph(path: &str, readme: &str) -> Option<(String, u32, u32)> {
    let is_markdown = path.to_ascii_lowercase().ends_with(".md") || path.to_ascii_lowercase().ends_with(".markdown");
    if is_markdown { markdown_paragraph(readme) } else { plain_paragraph(readme) }
}

fn markdown_paragraph(readme: &str) -> Option<(String, u32, u32)> {
    let mut depth = 0_usize;
    let mut words = String::new();
    let mut in_image = 0_usize;
    for (event, range) in Parser::new(readme).into_offset_iter() {
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
                    return Some((words, first, line_of(readme, range.start + source.len().saturating_sub(1))));
                }
            }
            Event::Start(Tag::Image { .. }) => {
                in_image += 1;
                depth += 1;
            }
            Event::End(TagEnd::Image) => {
                in_image = in_image.saturating_sub(1);
                depth = depth.saturating_sub(1);
            }
            Event::Start(_) => depth += 1,
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::Text(piece) | Event::Code(piece) if in_image == 0 => words.push_str(&piece),
            Event::SoftBreak | Event::HardBreak => words.push(' '),
            _ => {}
        }
    }
    None
}

fn plain_paragraph(readme: &str) -> Option<(String, u32, u32)> {
    let mut paragraph: Vec<(u32, &str)> = Vec::new();
    for (number, line) in (1_u32..).zip(readme.lines().chain([""])) {
        if !line.trim().is_empty() {
            paragraph.push((number, line.trim()));
            continue;
        }
        let is_rule = |line: &str| !line.chars().any(char::is_alphanumeric);
        let is_heading = paragraph.iter().any(|(_, line)| is_rule(line) || line.starts_with(".. "));
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
        return sheet.paragraph(&format!("> {}\n>\n> From the readme: {citation}", text(&words)));
    }
    if let Some(doc) = file_docs.iter().find(|symbol| is_file_doc(symbol)) {
        let citation = sheet.cite(&doc.path, doc.start_line, doc.end_line);
        return sheet.paragraph(&format!("> {}\n>\n> From the file's own documentation: {citation}", text(&doc.doc)));
    }
    if let Some(symbol) = symbols.iter().find(|symbol| !symbol.doc.is_empty()) {
        let citation = sheet.cite(&symbol.path, symbol.start_line, symbol.end_line);
        let name = code(&symbol.qualified);
        return sheet.paragraph(&format!("> {}\n>\n> From the documentation of {name}: {citation}", text(&symbol.doc)));
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
            ("README.md", "# Only a heading, however long it may be", None),
            ("README.rst", "Title\n=====\n\n.. image:: x.png\n\nThis tool does one thing well.\nYes.\n", Some((6, 7))),
            ("README", "", None),
        ];
        for (path, readme, expected) in cases {
            let found = first_paragraph(path, readme);
            assert_eq!(found.as_ref().map(|(_, first, last)| (*first, *last)), expected, "{found:?}");
        }
    }
}
