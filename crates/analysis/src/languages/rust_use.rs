//! Rust's `use`, flattened: one import per module path, with its names.

use tree_sitter::Node;

use super::nodes::{chain, early_child, field, named_children};
use super::walk::Walk;
use crate::{ImportKind, ImportedName};

/// Nested lists deeper than this are not written by people.
const MAX_DEPTH: usize = 16;

pub(super) fn use_declaration(walk: &mut Walk<'_>, node: Node<'_>) {
    let is_public = early_child(node, "visibility_modifier").is_some();
    let kind = if is_public { ImportKind::Reexport } else { ImportKind::Import };
    let Some(argument) = field(node, "argument") else {
        return;
    };
    let mut flat = Vec::new();
    flatten(walk, argument, "", 0, &mut flat);
    // Names of one module stand together, in order of appearance.
    let mut modules: Vec<(String, Vec<ImportedName>)> = Vec::new();
    for (module, name) in flat {
        match modules.iter_mut().find(|(known, _)| *known == module) {
            Some((_, names)) => names.push(name),
            None => modules.push((module, vec![name])),
        }
    }
    for (module, names) in modules.into_iter().take(500) {
        walk.import(node, &module, names, kind);
    }
}

pub(super) fn extern_crate(walk: &mut Walk<'_>, node: Node<'_>) {
    let Some(name) = field(node, "name") else {
        return;
    };
    let alias = field(node, "alias").map(|alias| walk.name_of(alias));
    let module = walk.name_of(name);
    let names = vec![ImportedName { name: "self".to_owned(), alias: alias.or_else(|| Some(module.clone())) }];
    walk.import(node, &module, names, ImportKind::Import);
}

fn flatten(walk: &Walk<'_>, node: Node<'_>, prefix: &str, depth: usize, flat: &mut Vec<(String, ImportedName)>) {
    if depth > MAX_DEPTH || flat.len() > 2_000 {
        return;
    }
    let join = |path: &str| {
        if prefix.is_empty() { path.to_owned() } else { format!("{prefix}::{path}") }
    };
    match node.kind() {
        "scoped_use_list" => {
            let path = field(node, "path").and_then(|path| chain(walk.text, path)).unwrap_or_default();
            let path = if path.is_empty() { prefix.to_owned() } else { join(&path) };
            if let Some(list) = field(node, "list") {
                flatten(walk, list, &path, depth + 1, flat);
            }
        }
        "use_list" => {
            for child in named_children(node) {
                flatten(walk, child, prefix, depth + 1, flat);
            }
        }
        "use_wildcard" => {
            let path = named_children(node).first().and_then(|path| chain(walk.text, *path)).unwrap_or_default();
            let path = if path.is_empty() { prefix.to_owned() } else { join(&path) };
            flat.push((path, ImportedName { name: "*".to_owned(), alias: None }));
        }
        "use_as_clause" => {
            let alias = field(node, "alias").map(|alias| walk.name_of(alias));
            if let Some(path) = field(node, "path").and_then(|path| chain(walk.text, path)) {
                push(&join(&path), alias, flat);
            }
        }
        "identifier" | "scoped_identifier" | "crate" | "self" | "super" => {
            if let Some(path) = chain(walk.text, node) {
                push(&join(&path), None, flat);
            }
        }
        _ => {}
    }
}

/// `a::b::c` is the name `c` of `a::b`; `a::b::{self}` is the module `a::b` under its own name.
fn push(path: &str, alias: Option<String>, flat: &mut Vec<(String, ImportedName)>) {
    let (module, name) = match path.rsplit_once("::") {
        Some((module, name)) => (module.to_owned(), name.to_owned()),
        None => (path.to_owned(), "self".to_owned()),
    };
    if name == "self" {
        let own = module.rsplit("::").next().unwrap_or(&module).to_owned();
        flat.push((module, ImportedName { name, alias: alias.or(Some(own)) }));
    } else {
        flat.push((module, ImportedName { name, alias }));
    }
}
