//! Directories as modules.

use std::collections::{BTreeMap, BTreeSet};

use super::Module;
use super::index::{Index, ancestors};

/// One module per directory that holds files, in order of path.
pub(super) fn modules(index: &Index<'_>) -> Vec<Module> {
    let slugs = slugs(index);
    let mut modules = Vec::with_capacity(slugs.len());
    for (path, files) in &index.folders {
        let parent = if path.is_empty() { None } else { ancestors(path).find_map(|above| slugs.get(above)) };
        modules.push(Module {
            slug: slugs.get(path).cloned().unwrap_or_default(),
            name: if path.is_empty() { "root" } else { path.rsplit('/').next().unwrap_or(path) }.to_owned(),
            parent: parent.cloned(),
            path: (*path).to_owned(),
            files: files.iter().map(|file| index.path(*file).to_owned()).collect(),
        });
    }
    modules
}

/// A short name for each directory that is good in an address; two directories never share one.
fn slugs<'input>(index: &Index<'input>) -> BTreeMap<&'input str, String> {
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let mut slugs = BTreeMap::new();
    for path in index.folders.keys() {
        let plain = if path.is_empty() { "root".to_owned() } else { slug(path) };
        let mut unique = plain.clone();
        let mut number = 2;
        while !taken.insert(unique.clone()) {
            unique = format!("{plain}-{number}");
            number += 1;
        }
        slugs.insert(*path, unique);
    }
    slugs
}

/// The longest slug before its number, in bytes.
const MAX_SLUG: usize = 120;

fn slug(path: &str) -> String {
    let mut slug = String::new();
    for character in path.chars() {
        if slug.len() >= MAX_SLUG {
            break;
        }
        if character.is_ascii_alphanumeric() {
            slug.push(character.to_ascii_lowercase());
        } else if !slug.ends_with('-') && !slug.is_empty() {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "module".to_owned() } else { slug.to_owned() }
}
