//! From byte ranges to chunks that know their lines and their place.

use crate::languages::{Outline, Scope};
use crate::text::{LineIndex, clamp, one_line};
use crate::{Chunk, ChunkKind, SymbolKind};

/// The longest scope chain that is written, in scopes and in characters.
const MAX_SCOPES: usize = 6;
const MAX_SCOPE_CHARS: usize = 240;

/// The most scopes looked at to name a chunk by what is in it.
const MAX_LOOKED_AT: usize = 64;

pub(super) fn place(
    kind: ChunkKind,
    text: &str,
    lines: &LineIndex,
    outline: &Outline,
    ranges: &[(usize, usize)],
) -> Vec<Chunk> {
    let mut chunks = Vec::with_capacity(ranges.len());
    for (ordinal, (start, end)) in ranges.iter().copied().enumerate() {
        let (first, last) = trimmed(text, start, end);
        let around = innermost(&outline.scopes, first, last);
        let named = around.iter().find_map(|scope| scope.symbol).or_else(|| largest_inside(outline, first, last));
        chunks.push(Chunk {
            ordinal: clamp(ordinal),
            start_byte: clamp(start),
            end_byte: clamp(end),
            start_line: lines.line_of(first),
            end_line: lines.line_of(last.saturating_sub(1).max(first)),
            kind,
            scope: label(&around),
            symbol: named
                .and_then(|symbol| outline.symbols.get(symbol as usize))
                .map(|symbol| symbol.qualified.clone()),
            signature: signature(outline, &around, first),
        });
    }
    chunks
}

/// The range without whitespace at its ends; the whole range if there is nothing else.
fn trimmed(text: &str, start: usize, end: usize) -> (usize, usize) {
    let piece = text.get(start..end).unwrap_or_default();
    let first = start + (piece.len() - piece.trim_start().len());
    let last = start + piece.trim_end().len();
    if first < last { (first, last) } else { (start, end) }
}

/// The scopes that contain the whole range, innermost first.
fn innermost(scopes: &[Scope], first: usize, last: usize) -> Vec<&Scope> {
    let mut at = scopes.partition_point(|scope| scope.lead <= first).checked_sub(1);
    let mut chain = Vec::new();
    while let Some(scope) = at.and_then(|index| scopes.get(index)) {
        if scope.lead <= first && last <= scope.end {
            chain.push(scope);
        }
        at = scope.parent;
    }
    chain
}

fn label(around: &[&Scope]) -> String {
    let labels: Vec<_> = around.iter().take(MAX_SCOPES).rev().map(|scope| scope.label.as_str()).collect();
    one_line(&labels.join(" > "), MAX_SCOPE_CHARS)
}

fn largest_inside(outline: &Outline, first: usize, last: usize) -> Option<u32> {
    let from = outline.scopes.partition_point(|scope| scope.lead < first);
    let inside = outline.scopes.iter().skip(from).take_while(|scope| scope.lead < last).take(MAX_LOOKED_AT);
    let mut largest: Option<(usize, u32)> = None;
    for scope in inside {
        let Some(symbol) = scope.symbol else { continue };
        let length = scope.end.saturating_sub(scope.start);
        if largest.is_none_or(|(longest, _)| length > longest) {
            largest = Some((length, symbol));
        }
    }
    largest.map(|(_, symbol)| symbol)
}

fn signature(outline: &Outline, around: &[&Scope], first: usize) -> Option<String> {
    let scope = around.iter().find(|scope| scope.symbol.is_some())?;
    let symbol = outline.symbols.get(scope.symbol? as usize)?;
    let is_shown = first <= scope.start;
    let says_more = !matches!(symbol.kind, SymbolKind::Heading | SymbolKind::Module | SymbolKind::Namespace);
    (!is_shown && says_more && !symbol.signature.is_empty()).then(|| symbol.signature.clone())
}
