//! What belongs to a type: variants of an enum, fields of a struct. They stand inside the lines that the type cites.

use std::collections::HashMap;

use caffeine_store::doc_writer::SymbolRow;

use crate::markdown::{Sheet, code, prose};

/// Members shown of one type.
const MAX_MEMBERS: usize = 60;

/// Members by the file and the position of their type.
pub(super) type ByType<'rows> = HashMap<(&'rows str, u32), Vec<&'rows SymbolRow>>;

pub(super) fn by_type(members: &[SymbolRow]) -> ByType<'_> {
    let mut by_type = ByType::new();
    for member in members {
        if let Some(parent) = member.parent {
            by_type.entry((member.path.as_str(), parent)).or_default().push(member);
        }
    }
    by_type
}

/// A list with their documentation; one line if they have none.
pub(super) fn write(sheet: &mut Sheet<'_>, symbol: &SymbolRow, members: &ByType<'_>) {
    let Some(members) = members.get(&(symbol.path.as_str(), symbol.ordinal)) else { return };
    let declared =
        |member: &SymbolRow| code(if member.signature.is_empty() { &member.name } else { &member.signature });
    let mut items: Vec<String> = members
        .iter()
        .take(MAX_MEMBERS)
        .map(|member| match prose(&member.doc) {
            doc if doc.is_empty() => declared(member),
            doc => format!("{}: {doc}", declared(member)),
        })
        .collect();
    let left_out = members.len().saturating_sub(MAX_MEMBERS);
    if left_out > 0 {
        items.push(format!("{left_out} more"));
    }
    if members.iter().any(|member| !member.doc.is_empty()) {
        return sheet.list(&items);
    }
    let are_variants = members.iter().all(|member| member.kind == "enum_member");
    sheet.paragraph(&format!("{}: {}.", if are_variants { "Variants" } else { "Fields" }, items.join(", ")));
}
