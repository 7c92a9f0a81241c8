//! Markdown: headings as symbols, sections as scopes, blocks as places to cut.

use std::ops::Range;

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::{Outline, Scope};
use crate::text::{LineIndex, clamp, one_line};
use crate::{Symbol, SymbolKind, Visibility};

/// Bounds the output for a hostile file.
const MAX_HEADINGS: usize = 10_000;

/// The rank of a cut between blocks: after those of all heading levels.
const BLOCK_RANK: u8 = 7;

struct Heading {
    level: u8,
    range: Range<usize>,
    title: String,
    /// First paragraph of its section.
    intro: String,
}

pub(super) fn outline(text: &str) -> Outline {
    let mut out = Outline::default();
    let mut headings: Vec<Heading> = Vec::new();
    let mut depth = 0_usize;
    let mut in_heading = false;
    let mut in_intro = false;
    for (event, range) in Parser::new_ext(text, options()).into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                if headings.len() < MAX_HEADINGS && depth == 0 {
                    let level = rank(level);
                    out.marks.push((line_start(text, range.start), level));
                    headings.push(Heading { level, range, title: String::new(), intro: String::new() });
                    in_heading = true;
                }
                depth += 1;
            }
            Event::Start(tag) => {
                if depth == 0 {
                    out.marks.push((line_start(text, range.start), BLOCK_RANK));
                    let is_first = headings.last().is_some_and(|heading| heading.intro.is_empty());
                    in_intro = is_first && matches!(tag, Tag::Paragraph);
                }
                depth += 1;
            }
            Event::End(end) => {
                depth = depth.saturating_sub(1);
                in_heading &= !matches!(end, TagEnd::Heading(_));
                in_intro &= !matches!(end, TagEnd::Paragraph);
            }
            Event::Text(words) | Event::Code(words) => {
                append(&mut headings, in_heading, in_intro, &words);
            }
            Event::SoftBreak | Event::HardBreak => append(&mut headings, in_heading, in_intro, " "),
            _ => {}
        }
    }
    out.marks.dedup_by_key(|(at, _)| *at);
    sections(text, headings, &mut out);
    out
}

fn options() -> Options {
    Options::ENABLE_TABLES | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS | Options::ENABLE_STRIKETHROUGH
}

fn append(headings: &mut [Heading], in_heading: bool, in_intro: bool, words: &str) {
    let Some(heading) = headings.last_mut() else {
        return;
    };
    let target = match (in_heading, in_intro) {
        (true, _) => &mut heading.title,
        (_, true) => &mut heading.intro,
        _ => return,
    };
    if target.len() < 4_096 {
        target.push_str(words);
    }
}

/// A section ends where the next heading of its level or above starts.
fn sections(text: &str, headings: Vec<Heading>, out: &mut Outline) {
    let lines = LineIndex::new(text);
    // Open sections, outermost first.
    let mut open: Vec<(u8, usize)> = Vec::new();
    for (index, heading) in headings.into_iter().enumerate() {
        let start = heading.range.start;
        close(&mut open, heading.level, start, &lines, out);
        let parent = open.last().map(|(_, parent)| *parent);
        let title = one_line(&heading.title, 200);
        let qualified = match parent.and_then(|parent| out.symbols.get(parent)) {
            Some(parent) => one_line(&format!("{} > {title}", parent.qualified), 400),
            None => title.clone(),
        };
        out.symbols.push(Symbol {
            ordinal: clamp(index),
            parent: parent.map(clamp),
            kind: SymbolKind::Heading,
            name: title.clone(),
            qualified,
            signature: one_line(text.get(heading.range).unwrap_or_default(), 400),
            doc: one_line(&heading.intro, 1_000),
            visibility: Visibility::Public,
            exported: false,
            start_line: lines.line_of(start),
            end_line: 0,
            start_byte: clamp(start),
            end_byte: 0,
        });
        out.scopes.push(Scope {
            lead: line_start(text, start),
            start,
            end: 0,
            label: title,
            parent,
            symbol: Some(clamp(index)),
        });
        open.push((heading.level, index));
    }
    close(&mut open, 0, text.len(), &lines, out);
}

fn close(open: &mut Vec<(u8, usize)>, level: u8, end: usize, lines: &LineIndex, out: &mut Outline) {
    while let Some((_, index)) = open.pop_if(|(open_level, _)| *open_level >= level) {
        if let (Some(symbol), Some(scope)) = (out.symbols.get_mut(index), out.scopes.get_mut(index)) {
            scope.end = end;
            symbol.end_byte = clamp(end);
            symbol.end_line = lines.line_of(end.saturating_sub(1)).max(symbol.start_line);
        }
    }
}

fn line_start(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |line_end| line_end + 1)
}

fn rank(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}
