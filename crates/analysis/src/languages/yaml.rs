//! YAML by its lines: key paths for the places of chunks, and the places to cut.
//!
//! Indentation is all that chunking needs, and it is found without a grammar: the one there is keeps its nesting in a fixed
//! buffer and writes past its end when a file nests deeper.

use super::{Outline, Scope};
use crate::text::one_line;

/// Keys deeper than this do not help to find something.
const MAX_KEY_DEPTH: usize = 3;

/// Indentations deeper than this are cut as this one.
const MAX_RANK: usize = 200;

/// Bounds the output for a hostile file.
const MAX_SCOPES: usize = 20_000;

/// A key whose lines go on.
struct Open {
    indent: usize,
    scope: usize,
}

pub(super) fn outline(text: &str) -> Outline {
    let mut out = Outline::default();
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0;
    // Comments before a key belong to it.
    let mut lead: Option<usize> = None;
    // Lines of a block scalar are deeper than its key and say nothing.
    let mut scalar: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let content = line.trim();
        let indent = line.len() - line.trim_start_matches(' ').len();
        if content.is_empty() || scalar.is_some_and(|of| indent > of) {
            continue;
        }
        scalar = None;
        if content.starts_with('#') {
            out.comments.push((start + indent, start + line.trim_end().len()));
            lead.get_or_insert(start);
            continue;
        }
        let from = lead.take().unwrap_or(start);
        let is_document = content == "---" || content.starts_with("--- ") || content == "...";
        let rank = if is_document { 0 } else { u8::try_from(indent.min(MAX_RANK) + 1).unwrap_or(u8::MAX) };
        if from > 0 {
            out.marks.push((from, rank));
        }
        let keeps = |key: &Open| !is_document && key.indent < indent;
        while open.last().is_some_and(|key| !keeps(key)) {
            close(&mut open, from, &mut out);
        }
        if ends_with_scalar(content) {
            // In a list's item the key stands behind the dash.
            scalar = Some(indent + (content.len() - content.trim_start_matches("- ").len()));
        }
        let Some(key) = key(content).filter(|_| open.len() < MAX_KEY_DEPTH && out.scopes.len() < MAX_SCOPES) else {
            continue;
        };
        out.scopes.push(Scope {
            lead: from,
            start,
            end: text.len(),
            label: one_line(key, 60),
            parent: open.last().map(|key| key.scope),
            symbol: None,
        });
        open.push(Open { indent, scope: out.scopes.len() - 1 });
    }
    while !open.is_empty() {
        close(&mut open, text.len(), &mut out);
    }
    out
}

fn close(open: &mut Vec<Open>, end: usize, out: &mut Outline) {
    if let Some(scope) = open.pop().and_then(|key| out.scopes.get_mut(key.scope)) {
        scope.end = end;
    }
}

/// `key: |` and its variants.
fn ends_with_scalar(content: &str) -> bool {
    let last = content.rsplit(' ').next().unwrap_or_default();
    last.starts_with(['|', '>']) && last.len() <= 3 && last.len() < content.len()
}

/// The key of a mapping's line, also as the first of a list's item.
fn key(content: &str) -> Option<&str> {
    let content = content.trim_start_matches("- ").trim_start();
    let (key, rest) = content.split_once(':')?;
    let is_key = (rest.is_empty() || rest.starts_with([' ', '\t']))
        && !key.is_empty()
        && key.len() < 200
        && !key.starts_with(['{', '[']);
    is_key.then(|| key.trim().trim_matches(['"', '\'']))
}

#[cfg(test)]
mod tests {
    use super::outline;

    #[test]
    fn keys_are_scopes_with_their_comments() {
        let text = "# About on.\non: push\njobs:\n  build: # yes\n    steps:\n      - run: |\n          not: a key\n        env: x\n      - \"uses\": y\n---\nnext: 1\n";
        let outline = outline(text);
        let scopes: Vec<_> = outline
            .scopes
            .iter()
            .map(|scope| {
                (
                    scope.label.as_str(),
                    scope.parent,
                    text.get(scope.lead..scope.end).map_or(0, |part| part.lines().count()),
                )
            })
            .collect();
        let expected =
            [("on", None, 2), ("jobs", None, 7), ("build", Some(1), 6), ("steps", Some(2), 5), ("next", None, 1)];
        assert_eq!(scopes, expected);
        let ranks: Vec<u8> = outline.marks.iter().map(|(_, rank)| *rank).collect();
        assert_eq!(ranks, [1, 3, 5, 7, 9, 7, 0, 1]);
    }
}
