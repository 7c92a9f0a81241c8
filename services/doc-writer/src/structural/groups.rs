//! Modules by what a person takes in at once: packages, or directories near the top.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::Facts;
use crate::markdown::line;

/// Most groups of a picture: more cannot be taken in.
pub(super) const MAX_GROUPS: usize = 15;
/// Fewer packages than this say too little.
const MIN_PACKAGES: usize = 3;

/// Which directory stands for each module, and how much these directories use each other.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Groups {
    /// The strongest first.
    pub relations: Vec<Relation>,
    /// Whether they are packages, not only directories.
    pub are_packages: bool,
}

/// One directory uses another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Relation {
    pub src: String,
    pub dst: String,
    /// Mentions that could be resolved.
    pub weight: u32,
}

impl Groups {
    /// Groups the modules of the program itself; those with nothing but tests are left out.
    pub(super) fn of(facts: &Facts) -> Self {
        let program: BTreeSet<&str> =
            facts.source_files().into_iter().filter_map(|file| file.module.as_deref()).collect();
        let path = |slug: &str| facts.module(slug).map_or("", |module| module.path.as_str());
        let edges: Vec<(&str, &str, u32)> = facts
            .edges
            .iter()
            .filter(|edge| program.contains(edge.src.as_str()) && program.contains(edge.dst.as_str()))
            .map(|edge| (path(&edge.src), path(&edge.dst), edge.weight))
            .collect();
        let packages: BTreeSet<&str> = facts
            .manifests()
            .iter()
            .filter(|(_, manifest)| manifest.name.is_some())
            .map(|(file, _)| file.path.rsplit_once('/').map_or("", |(home, _)| home))
            .collect();
        let by_package = summed(&edges, |path| package_of(path, &packages).to_owned());
        if nodes(&by_package) >= MIN_PACKAGES {
            return Self { relations: by_package, are_packages: true };
        }
        let common = common_directory(edges.iter().flat_map(|(src, dst, _)| [*src, *dst]));
        let deepest = edges.iter().map(|(src, dst, _)| src.split('/').count().max(dst.split('/').count())).max();
        let mut best = Vec::new();
        for depth in common.max(1)..=deepest.unwrap_or(0) {
            let relations = summed(&edges, |path| path.split('/').take(depth).collect::<Vec<_>>().join("/"));
            if !best.is_empty() && nodes(&relations) > MAX_GROUPS {
                break;
            }
            best = relations;
        }
        Self { relations: best, are_packages: false }
    }
}

/// The deepest package around a directory; else its first part.
fn package_of<'path>(path: &'path str, packages: &BTreeSet<&str>) -> &'path str {
    let mut home = path;
    loop {
        if !home.is_empty() && packages.contains(home) {
            return home;
        }
        match home.rsplit_once('/') {
            Some((above, _)) => home = above,
            None if packages.contains("") => return "",
            None => return path.split('/').next().unwrap_or_default(),
        }
    }
}

/// How many parts all these directories begin with.
fn common_directory<'path>(paths: impl Iterator<Item = &'path str>) -> usize {
    let mut common: Option<Vec<&str>> = None;
    for path in paths {
        let parts: Vec<&str> = path.split('/').collect();
        common = Some(match common {
            None => parts,
            Some(known) => known.into_iter().zip(parts).take_while(|(a, b)| a == b).map(|(a, _)| a).collect(),
        });
    }
    common.map_or(0, |parts| parts.len())
}

fn summed(edges: &[(&str, &str, u32)], group: impl Fn(&str) -> String) -> Vec<Relation> {
    let mut sums: BTreeMap<(String, String), u32> = BTreeMap::new();
    for (src, dst, weight) in edges {
        let (src, dst) = (group(src), group(dst));
        if src != dst {
            let sum = sums.entry((src, dst)).or_default();
            *sum = sum.saturating_add(*weight);
        }
    }
    let mut relations: Vec<Relation> =
        sums.into_iter().map(|((src, dst), weight)| Relation { src, dst, weight }).collect();
    // Stable, so by name where the weight is the same.
    relations.sort_by_key(|relation| std::cmp::Reverse(relation.weight));
    relations
}

/// How many directories take part.
pub(super) fn nodes(relations: &[Relation]) -> usize {
    relations.iter().flat_map(|relation| [&relation.src, &relation.dst]).collect::<BTreeSet<_>>().len()
}

/// How a directory is called.
pub(super) fn title(path: &str) -> String {
    if path.is_empty() { "Top directory".to_owned() } else { line(path) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use caffeine_analysis::parse_manifest;
    use caffeine_store::doc_writer::{FileRow, ModuleEdgeRow, ModuleRow};

    use super::{Groups, package_of};
    use crate::facts::{Facts, sample};

    /// Facts of a repository with these manifests and uses between directories.
    fn facts(manifests: &[&str], edges: &[(&str, &str, u32)]) -> Facts {
        let mut facts = sample::facts();
        let row = facts.file("src/lib.rs").unwrap().clone();
        let directories: BTreeSet<&str> = edges.iter().flat_map(|(src, dst, _)| [*src, *dst]).collect();
        facts.modules = directories
            .iter()
            .map(|path| ModuleRow {
                slug: (*path).to_owned(),
                name: (*path).to_owned(),
                parent: None,
                path: (*path).to_owned(),
            })
            .collect();
        facts.files = directories
            .iter()
            .map(|path| FileRow {
                path: format!("{path}/x.rs"),
                module: Some((*path).to_owned()),
                category: Some(if path.contains("tests") { "test" } else { "source" }.to_owned()),
                ..row.clone()
            })
            .collect();
        for home in manifests {
            let path = format!("{home}/Cargo.toml").trim_start_matches('/').to_owned();
            let manifest = parse_manifest(&path, &format!("[package]\nname = \"{home}x\"\n")).unwrap();
            facts.files.push(FileRow { path, manifest: Some(serde_json::to_value(manifest).unwrap()), ..row.clone() });
        }
        facts.files.sort_by(|left, right| left.path.cmp(&right.path));
        facts.edges = edges
            .iter()
            .map(|(src, dst, weight)| ModuleEdgeRow { src: (*src).to_owned(), dst: (*dst).to_owned(), weight: *weight })
            .collect();
        facts
    }

    fn relations(groups: &Groups) -> Vec<(&str, &str, u32)> {
        groups.relations.iter().map(|it| (it.src.as_str(), it.dst.as_str(), it.weight)).collect()
    }

    #[test]
    fn packages_where_there_are_some() {
        let edges = [
            ("a/src", "b/src", 1),
            ("a/src/x", "b/src/y", 4),
            ("a/src", "a/src/x", 9),
            ("b/src", "c/src", 2),
            ("a/tests", "b/src", 50),
        ];
        let groups = Groups::of(&facts(&["a", "b", "c"], &edges));
        assert_eq!(relations(&groups), [("a", "b", 5), ("b", "c", 2)], "tests are left out");
        assert!(groups.are_packages);
    }

    #[test]
    fn directories_as_deep_as_can_be_taken_in() {
        let groups = Groups::of(&facts(&[""], &[("src/a", "src/b", 1), ("src/a/x", "src/b", 2)]));
        assert_eq!(relations(&groups), [("src/a/x", "src/b", 2), ("src/a", "src/b", 1)]);
        let names: Vec<(String, String)> =
            (0..40).map(|at| (format!("src/{}/{at}", at % 4), format!("src/{}/x", (at + 1) % 4))).collect();
        let edges: Vec<(&str, &str, u32)> = names.iter().map(|(src, dst)| (src.as_str(), dst.as_str(), 1)).collect();
        let groups = Groups::of(&facts(&[""], &edges));
        assert_eq!(relations(&groups)[0], ("src/0", "src/1", 10));
        assert_eq!(groups.relations.len(), 4);
        assert!(!groups.are_packages);
        assert_eq!(Groups::of(&facts(&[], &[])), Groups::default());
    }

    #[test]
    fn the_package_around_a_directory() {
        let packages = BTreeSet::from(["a", "a/b"]);
        let cases = [("a/b/c", "a/b"), ("a/x", "a"), ("a", "a"), ("z/y", "z"), ("", "")];
        for (path, expected) in cases {
            assert_eq!(package_of(path, &packages), expected);
        }
        assert_eq!(package_of("z/y", &BTreeSet::from(["", "a"])), "");
    }
}
