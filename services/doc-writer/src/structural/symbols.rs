//! The index: every name, where it is, and which module it belongs to.

use caffeine_store::doc_writer::SymbolRow;

use super::{Links, counted, thousands};
use crate::facts::Facts;
use crate::markdown::{Sheet, Written, code, text};
use crate::plan::{IndexSubject, index_subject};

/// Writes a part of the index.
#[must_use]
pub fn symbol_part(title: &str, facts: &Facts, links: &Links<'_>, symbols: &[SymbolRow]) -> Written {
    let mut sheet = Sheet::new(facts, title);
    if symbols.is_empty() {
        sheet.paragraph("The analysis found no names in this snapshot.");
        return sheet.finish();
    }
    let mut letter: Option<char> = None;
    let mut rows: Vec<Vec<String>> = Vec::new();
    for symbol in symbols {
        let first = symbol.name.chars().next().map_or('_', |c| c.to_ascii_uppercase());
        let first = if first.is_ascii_uppercase() { first } else { '_' };
        if letter != Some(first) {
            flush(&mut sheet, &mut rows);
            letter = Some(first);
            sheet.heading(2, if first == '_' { "Other".to_owned() } else { first.to_string() }.as_str());
        }
        rows.push(vec![
            code(&symbol.qualified),
            text(&symbol.kind.replace('_', " ")),
            links.module(facts, &symbol.module),
            sheet.cite(&symbol.path, symbol.start_line, symbol.end_line),
        ]);
    }
    flush(&mut sheet, &mut rows);
    sheet.finish()
}

fn flush(sheet: &mut Sheet<'_>, rows: &mut Vec<Vec<String>>) {
    sheet.table(&["Name", "Kind", "Module", "Declared at"], rows);
    rows.clear();
}

/// Writes the contents of an index that is split into parts.
#[must_use]
pub fn symbol_contents(title: &str, facts: &Facts, links: &Links<'_>) -> Written {
    let mut sheet = Sheet::new(facts, title);
    let total = facts.totals().symbols;
    sheet.paragraph(&format!("{} by first letter.", counted(total, "name")));
    let rows: Vec<Vec<String>> = links.children("symbols").map(|page| vec![Links::page(page)]).collect();
    sheet.table(&["Part"], &rows);
    let mut listed = 0_u32;
    let letters = facts.letters();
    for page in links.children("symbols") {
        if let IndexSubject::Part(letter, part) = index_subject(&page.subject) {
            let of_letter = letters.get(letter.as_str()).copied().unwrap_or(0);
            listed = listed.saturating_add(of_letter.saturating_sub(part.offset).min(part.limit));
        }
    }
    if listed < total {
        sheet.paragraph(&format!("{} of {} names are not listed.", thousands(total - listed), thousands(total)));
    }
    sheet.finish()
}
