//! Trees of a repository from a flat list of paths.

use std::collections::{BTreeMap, BTreeSet};

use super::command::Git;

/// What lies at a path: git's mode and the id of the object.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    pub(super) mode: &'static str,
    pub(super) id: String,
}

/// The folders of a commit, by path; the root is the empty path.
pub(super) struct Tree<'a> {
    folders: BTreeMap<Vec<u8>, Vec<(Vec<u8>, Leaf)>>,
    leaves: &'a BTreeMap<Vec<u8>, Leaf>,
}

impl<'a> Tree<'a> {
    pub(super) fn of(leaves: &'a BTreeMap<Vec<u8>, Leaf>) -> Self {
        Self { folders: BTreeMap::from([(Vec::new(), Vec::new())]), leaves }
    }

    /// Stores all folders, the deepest first, with one process for each depth, and returns the id
    /// of the root.
    pub(super) fn write(mut self, git: &Git) -> String {
        for (path, leaf) in self.leaves {
            let (folder, name) = split(path);
            for ancestor in ancestors(folder) {
                self.folders.entry(ancestor.to_vec()).or_default();
            }
            self.folders.entry(folder.to_vec()).or_default().push((name.to_vec(), leaf.clone()));
        }
        let depths: BTreeSet<usize> = self.folders.keys().map(|path| depth(path)).collect();
        let mut root = String::new();
        for level in depths.into_iter().rev() {
            let paths: Vec<Vec<u8>> = self.folders.keys().filter(|path| depth(path) == level).cloned().collect();
            let mut input = Vec::new();
            for path in &paths {
                input.extend(listing(&self.folders[path]));
            }
            let ids = git.text_of(&["mktree", "-z", "--missing", "--batch"], &input);
            for (path, id) in paths.iter().zip(ids.lines()) {
                if path.is_empty() {
                    id.clone_into(&mut root);
                    continue;
                }
                let (parent, name) = split(path);
                let leaf = Leaf { mode: "040000", id: id.to_owned() };
                self.folders.entry(parent.to_vec()).or_default().push((name.to_vec(), leaf));
            }
        }
        root
    }
}

/// One folder as `git mktree -z --batch` reads it: its entries and an empty one.
fn listing(entries: &[(Vec<u8>, Leaf)]) -> Vec<u8> {
    let mut input = Vec::new();
    for (name, leaf) in entries {
        let kind = match leaf.mode {
            "040000" => "tree",
            "160000" => "commit",
            _ => "blob",
        };
        input.extend_from_slice(format!("{} {kind} {}\t", leaf.mode, leaf.id).as_bytes());
        input.extend_from_slice(name);
        input.push(0);
    }
    input.push(0);
    input
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&[], path),
    }
}

/// Every folder above a folder but the root, and itself.
fn ancestors(folder: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = folder.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    slashes.map(|(at, _)| &folder[..at]).chain((!folder.is_empty()).then_some(folder))
}

fn depth(path: &[u8]) -> usize {
    if path.is_empty() { 0 } else { 1 + path.iter().filter(|byte| **byte == b'/').count() }
}
