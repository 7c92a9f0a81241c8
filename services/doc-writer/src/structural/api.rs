//! The public interface: what other files can reach, by module, with its signature and its documentation.

use std::collections::HashMap;

use caffeine_store::doc_writer::SymbolRow;

use super::{Links, counted, members, modules_by_path, thousands};
use crate::facts::Facts;
use crate::markdown::{Sheet, Written, code, fence, prose, text};
use crate::plan::{ApiSubject, Part, api_subject};

/// Places shown of alternatives of one declaration.
const MAX_ALTERNATIVES: usize = 10;

/// Writes a part of the interface.
#[must_use]
pub fn api_part(
    title: &str,
    facts: &Facts,
    links: &Links<'_>,
    symbols: &[SymbolRow],
    members: &[SymbolRow],
    part: Part,
) -> Written {
    let mut sheet = Sheet::new(facts, title);
    let total = facts.totals().exported;
    if symbols.is_empty() {
        sheet.paragraph("No file of the program declares anything that others can reach, as far as the analysis sees.");
        return sheet.finish();
    }
    let last = part.offset.saturating_add(u32::try_from(symbols.len()).unwrap_or(u32::MAX));
    sheet.paragraph(&format!(
        "Symbols {} to {} of {}, by module. Tests, benchmarks, examples, generated and vendored files are left out; fields \
         and variants belong to their type; alternatives of one declaration share an entry.",
        thousands(part.offset + 1),
        thousands(last),
        thousands(total)
    ));
    let members = members::by_type(members);
    for of_module in symbols.chunk_by(|left, right| left.module == right.module) {
        if let Some(symbol) = of_module.first() {
            sheet.heading(2, &links.module(facts, &symbol.module));
        }
        write_symbols(&mut sheet, of_module, &members);
    }
    sheet.finish()
}

/// Writes the contents of an interface that is split into parts.
#[must_use]
pub fn api_contents(title: &str, facts: &Facts, links: &Links<'_>) -> Written {
    let mut sheet = Sheet::new(facts, title);
    let total = facts.totals().exported;
    sheet.paragraph(&format!("{} that other files can reach, by module.", counted(total, "symbol")));
    let parts: Vec<String> = links.children("public-api").map(Links::page).collect();
    sheet.list(&parts);
    let listed: u32 = links
        .children("public-api")
        .map(|page| match api_subject(&page.subject) {
            ApiSubject::Part(part) => part.limit,
            ApiSubject::Contents => 0,
        })
        .sum();
    if listed < total {
        sheet.paragraph(&format!("{} beyond that are not listed.", counted(total - listed, "symbol")));
    }
    let totals = facts.totals_by_module();
    let rows: Vec<Vec<String>> = modules_by_path(facts)
        .into_iter()
        .filter_map(|module| {
            let exported = totals.get(module.slug.as_str()).map_or(0, |sums| sums.exported);
            (exported > 0).then(|| vec![links.module(facts, &module.slug), thousands(exported)])
        })
        .collect();
    sheet.heading(2, "By module");
    sheet.table(&["Module", "Public symbols:"], &rows);
    sheet.finish()
}

/// The symbols of a module, those that are alternatives of each other (for other systems or settings) as one.
pub(super) fn write_symbols(sheet: &mut Sheet<'_>, symbols: &[SymbolRow], members: &members::ByType<'_>) {
    // Such alternatives call what they do not use `_name`.
    let identity = |symbol: &SymbolRow| {
        (symbol.path.clone(), symbol.kind.clone(), symbol.qualified.clone(), symbol.signature.replace('_', ""))
    };
    let mut places: HashMap<_, usize> = HashMap::new();
    let mut entries: Vec<Vec<&SymbolRow>> = Vec::new();
    for symbol in symbols {
        let place = *places.entry(identity(symbol)).or_insert(entries.len());
        match entries.get_mut(place) {
            Some(entry) => entry.push(symbol),
            None => entries.push(vec![symbol]),
        }
    }
    for entry in &entries {
        write_symbol(sheet, entry, members);
    }
}

/// A symbol with a heading, its signature, its documentation, where it is, and its members.
fn write_symbol(sheet: &mut Sheet<'_>, alternatives: &[&SymbolRow], members: &members::ByType<'_>) {
    let Some(symbol) = alternatives.first() else { return };
    let kind = symbol.kind.replace('_', " ");
    sheet.heading(3, &format!("{} ({})", code(&symbol.qualified), text(&kind)));
    if !symbol.signature.is_empty() {
        sheet.block(&fence(&symbol.language, &symbol.signature));
    }
    let citations: Vec<String> = alternatives
        .iter()
        .take(MAX_ALTERNATIVES)
        .map(|symbol| sheet.cite(&symbol.path, symbol.start_line, symbol.end_line))
        .collect();
    let documented = alternatives.iter().map(|symbol| prose(&symbol.doc)).find(|doc| !doc.is_empty());
    let doc = documented.unwrap_or_else(|| "Not documented.".to_owned());
    sheet.paragraph(&format!("{doc} {}", citations.join(", ")));
    members::write(sheet, symbol, members);
}
