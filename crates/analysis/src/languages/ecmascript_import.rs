//! Every way in which JavaScript and TypeScript files name other files and give out names.

use std::collections::BTreeSet;

use tree_sitter::Node;

use super::nodes::{field, named_children};
use super::walk::Walk;
use crate::{ImportKind, ImportedName};

fn unquoted(walk: &Walk<'_>, node: Node<'_>) -> String {
    walk.text_of(node).trim_matches(['"', '\'', '`']).to_owned()
}

fn named(name: String, alias: Option<String>) -> ImportedName {
    ImportedName { name, alias }
}

fn has_token(node: Node<'_>, token: &str) -> bool {
    let mut cursor = node.walk();
    node.children(&mut cursor).take(4).any(|child| child.kind() == token)
}

pub(super) fn statement(walk: &mut Walk<'_>, node: Node<'_>) {
    let children = named_children(node);
    if let Some(clause) = children.iter().find(|child| child.kind() == "import_require_clause") {
        let module = field(*clause, "source").map(|source| unquoted(walk, source)).unwrap_or_default();
        let names = named_children(*clause).first().map(|name| named("*".to_owned(), Some(walk.name_of(*name))));
        walk.import(node, &module, names.into_iter().collect(), ImportKind::Import);
        return;
    }
    let Some(source) = field(node, "source") else {
        return;
    };
    let module = unquoted(walk, source);
    let Some(clause) = children.into_iter().find(|child| child.kind() == "import_clause") else {
        walk.import(node, &module, Vec::new(), ImportKind::SideEffect);
        return;
    };
    let mut names = Vec::new();
    for part in named_children(clause) {
        match part.kind() {
            "identifier" => names.push(named("default".to_owned(), Some(walk.name_of(part)))),
            "namespace_import" => {
                let alias = named_children(part).first().map(|name| walk.name_of(*name));
                names.push(named("*".to_owned(), alias));
            }
            "named_imports" => names.extend(specifiers(walk, part)),
            _ => {}
        }
    }
    let kind = if has_token(node, "type") { ImportKind::TypeOnly } else { ImportKind::Import };
    walk.import(node, &module, names, kind);
}

fn specifiers(walk: &Walk<'_>, list: Node<'_>) -> Vec<ImportedName> {
    let mut names = Vec::new();
    for specifier in named_children(list) {
        if let Some(name) = field(specifier, "name") {
            let alias = field(specifier, "alias").map(|alias| unquoted(walk, alias));
            names.push(named(unquoted(walk, name), alias));
        }
    }
    names
}

/// Records an export that declares nothing; says whether it was one.
pub(super) fn reexport(walk: &mut Walk<'_>, node: Node<'_>, exported: &mut BTreeSet<String>) -> bool {
    let children = named_children(node);
    let clause = children.iter().find(|child| child.kind() == "export_clause").copied();
    let namespace = children.iter().find(|child| child.kind() == "namespace_export").copied();
    let mut names = clause.map(|clause| specifiers(walk, clause)).unwrap_or_default();
    if let Some(source) = field(node, "source") {
        if let Some(namespace) = namespace {
            let alias = named_children(namespace).first().map(|name| unquoted(walk, *name));
            names.push(named("*".to_owned(), alias));
        } else if clause.is_none() {
            names.push(named("*".to_owned(), None));
        }
        let module = unquoted(walk, source);
        walk.import(node, &module, names, ImportKind::Reexport);
        return true;
    }
    if clause.is_none() {
        return false;
    }
    exported.extend(names.iter().map(|name| name.name.clone()));
    walk.import(node, "", names, ImportKind::Reexport);
    true
}

/// `const x = require("m")` and `const { a, b: c } = require("m")`.
pub(super) fn require_declaration(walk: &mut Walk<'_>, node: Node<'_>, target: Node<'_>, value: Node<'_>) -> bool {
    let Some(module) = required(walk, value) else {
        return false;
    };
    let mut names = Vec::new();
    match target.kind() {
        "identifier" => names.push(named("*".to_owned(), Some(walk.name_of(target)))),
        "object_pattern" => {
            for part in named_children(target) {
                match part.kind() {
                    "shorthand_property_identifier_pattern" => {
                        names.push(named(walk.name_of(part), None));
                    }
                    "pair_pattern" => {
                        let (Some(key), Some(value)) = (field(part, "key"), field(part, "value")) else {
                            continue;
                        };
                        if value.kind() == "identifier" {
                            names.push(named(walk.name_of(key), Some(walk.name_of(value))));
                        }
                    }
                    _ => {}
                }
            }
        }
        _ => {}
    }
    walk.import(node, &module, names, ImportKind::Import);
    true
}

/// The module of a `require` call.
fn required(walk: &Walk<'_>, value: Node<'_>) -> Option<String> {
    let is_call = value.kind() == "call_expression"
        && field(value, "function").is_some_and(|function| walk.text_of(function) == "require");
    if is_call { literal_argument(walk, value) } else { None }
}

fn literal_argument(walk: &Walk<'_>, call: Node<'_>) -> Option<String> {
    let first = named_children(field(call, "arguments")?).into_iter().next()?;
    (first.kind() == "string").then(|| unquoted(walk, first))
}

/// A `require` or `import()` inside an expression.
pub(super) fn dynamic(walk: &mut Walk<'_>, call: Node<'_>) {
    let Some(module) = literal_argument(walk, call) else {
        return;
    };
    let line = call.start_position().row + 1;
    let is_known = walk.out.imports.last().is_some_and(|last| last.module == module && last.line as usize == line);
    if !is_known {
        walk.import(call, &module, Vec::new(), ImportKind::Dynamic);
    }
}

/// `module.exports = value`.
pub(super) fn common_js_exports(walk: &mut Walk<'_>, node: Node<'_>, value: Node<'_>, exported: &mut BTreeSet<String>) {
    let mut names = Vec::new();
    match value.kind() {
        "identifier" => names.push(named(walk.name_of(value), Some("default".to_owned()))),
        "object" => {
            for part in named_children(value) {
                match part.kind() {
                    "shorthand_property_identifier" => names.push(named(walk.name_of(part), None)),
                    "pair" => {
                        let (Some(key), Some(value)) = (field(part, "key"), field(part, "value")) else {
                            continue;
                        };
                        if value.kind() == "identifier" {
                            names.push(named(walk.name_of(value), Some(unquoted(walk, key))));
                        }
                    }
                    _ => {}
                }
            }
        }
        _ => {}
    }
    if names.is_empty() {
        return;
    }
    exported.extend(names.iter().map(|name| name.name.clone()));
    walk.import(node, "", names, ImportKind::Reexport);
}
