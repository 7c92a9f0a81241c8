//! What the packages offer: what manifests declare, and what Cargo finds by itself at its usual places.

use std::collections::BTreeSet;

use caffeine_analysis::{EntryPointKind, Manifest, ManifestKind};
use caffeine_store::doc_writer::FileRow;

use super::Facts;

/// A program, library or script of the repository, and the lines that say so.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offered {
    /// Name of the command, script or library.
    pub name: String,
    /// How it is offered.
    pub kind: EntryPointKind,
    /// What it runs, relative to its manifest; may be empty.
    pub target: String,
    /// The manifest, or the file that is a target by its place alone.
    pub path: String,
    /// First and last line there, from 1.
    pub lines: (u32, u32),
    /// Only those who work on the repository use it: a test, a benchmark, a fuzz target or an example.
    pub is_auxiliary: bool,
}

impl Facts {
    /// What can be run or imported, by manifest as in [`Facts::manifests`]: first what it declares, by line, then
    /// what it need not declare, by name.
    #[must_use]
    pub fn entry_points(&self) -> Vec<Offered> {
        let mut found = Vec::new();
        for (file, manifest) in self.manifests() {
            let home = file.path.rsplit_once('/').map_or("", |(home, _)| home);
            let declared = manifest.entry_points.iter().map(|entry| Offered {
                is_auxiliary: self.is_auxiliary(home, &file.path, &entry.target),
                name: entry.name.clone(),
                kind: entry.kind,
                target: entry.target.clone(),
                path: file.path.clone(),
                lines: (entry.line, entry.line),
            });
            found.extend(declared);
            if manifest.kind == ManifestKind::Cargo {
                found.extend(self.cargo_targets(&file.path, &manifest));
            }
        }
        found
    }

    /// Whether the manifest, or the file it names, is for tests or an example.
    fn is_auxiliary(&self, home: &str, manifest: &str, target: &str) -> bool {
        let target = target.trim_start_matches("./");
        let target = if home.is_empty() { target.to_owned() } else { format!("{home}/{target}") };
        [manifest, &target].into_iter().any(|path| {
            let is_test = self.file(path).is_some_and(|file| file.category.as_deref() == Some("test"));
            is_test || super::is_example(path)
        })
    }

    /// The targets of a Cargo package that its manifest does not mention.
    fn cargo_targets(&self, manifest_path: &str, manifest: &Manifest) -> BTreeSet<Offered> {
        let mut found = BTreeSet::new();
        let Some(package) = manifest.name.as_deref() else { return found };
        let home = manifest_path.strip_suffix("Cargo.toml").unwrap_or_default();
        let declared = |kind| manifest.entry_points.iter().filter(move |entry| entry.kind == kind);
        let mut offer = |name: &str, kind, file: &FileRow| {
            let target = file.path.strip_prefix(home).unwrap_or(&file.path).to_owned();
            let lines = (1, file.lines.max(1));
            let is_auxiliary = self.is_auxiliary("", &file.path, &file.path);
            found.insert(Offered { name: name.to_owned(), kind, target, path: file.path.clone(), lines, is_auxiliary });
        };
        if let Some(library) = self.file(&format!("{home}src/lib.rs"))
            && declared(EntryPointKind::Library).next().is_none()
        {
            offer(&package.replace('-', "_"), EntryPointKind::Library, library);
        }
        // A program that the manifest names without a path has the path of that name.
        let is_declared = |name: &str, path: &str| {
            let target = path.strip_prefix(home).unwrap_or(path);
            declared(EntryPointKind::Binary)
                .any(|entry| entry.name == name || entry.target.trim_start_matches("./") == target)
        };
        if let Some(program) = self.file(&format!("{home}src/main.rs"))
            && !is_declared(package, &program.path)
        {
            offer(package, EntryPointKind::Binary, program);
        }
        let folder = format!("{home}src/bin/");
        let first = self.files.partition_point(|file| file.path.as_str() < folder.as_str());
        for file in self.files.iter().skip(first) {
            let Some(inside) = file.path.strip_prefix(&folder) else { break };
            let name = inside.strip_suffix("/main.rs").or_else(|| inside.strip_suffix(".rs")).unwrap_or_default();
            if !name.is_empty() && !name.contains('/') && !is_declared(name, &file.path) {
                offer(name, EntryPointKind::Binary, file);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use caffeine_analysis::{EntryPointKind, parse_manifest};

    use crate::facts::{Facts, sample};

    /// `name target path first-last`, with the kind's first letter, of a repository with these manifests and files.
    fn offered(manifests: &[(&str, &str)], paths: &[&str]) -> Vec<String> {
        let mut facts: Facts = sample::facts();
        let row = facts.file("src/lib.rs").unwrap().clone();
        let named = |path: &str| caffeine_store::doc_writer::FileRow { path: path.to_owned(), ..row.clone() };
        facts.files = paths.iter().map(|path| named(path)).collect();
        for (path, text) in manifests {
            let manifest = serde_json::to_value(parse_manifest(path, text).unwrap()).unwrap();
            facts.files.push(caffeine_store::doc_writer::FileRow { manifest: Some(manifest), ..named(path) });
        }
        facts.files.sort_by(|left, right| left.path.cmp(&right.path));
        let shown = |kind| match kind {
            EntryPointKind::Binary => "b",
            EntryPointKind::Library => "l",
            EntryPointKind::Script => "s",
        };
        let line = |entry: super::Offered| {
            let (first, last) = entry.lines;
            format!("{} {} {} {} {first}-{last}", shown(entry.kind), entry.name, entry.target, entry.path)
        };
        facts.entry_points().into_iter().map(line).collect()
    }

    #[test]
    fn tests_and_examples_are_no_entry_points() {
        let mut facts: Facts = sample::facts();
        let row = facts.file("src/lib.rs").unwrap().clone();
        let manifest = |path: &str, category: &str, bin: &str| {
            let text = format!("[package]\nname = \"p\"\n[[bin]]\nname = \"b\"\npath = \"{bin}\"\n");
            caffeine_store::doc_writer::FileRow {
                path: path.to_owned(),
                category: Some(category.to_owned()),
                manifest: Some(serde_json::to_value(parse_manifest(path, &text).unwrap()).unwrap()),
                ..row.clone()
            }
        };
        let tested = caffeine_store::doc_writer::FileRow {
            path: "c/tool/check.rs".to_owned(),
            category: Some("test".to_owned()),
            ..row.clone()
        };
        facts.files = vec![
            manifest("a/Cargo.toml", "config", "main.rs"),
            manifest("b/examples/x/Cargo.toml", "config", "main.rs"),
            manifest("c/Cargo.toml", "config", "./tool/check.rs"),
            tested,
            manifest("fuzz/Cargo.toml", "test", "targets/a.rs"),
        ];
        let found = facts.entry_points().into_iter().map(|entry| (entry.path, entry.is_auxiliary));
        let expected = [("a", false), ("c", true), ("fuzz", true), ("b/examples/x", true)];
        assert_eq!(found.collect::<Vec<_>>(), expected.map(|(home, is)| (format!("{home}/Cargo.toml"), is)));
    }

    #[test]
    fn cargo_needs_no_declaration_for_the_usual_places() {
        let package = ("a/Cargo.toml", "[package]\nname = \"my-a\"\n");
        let paths = [
            "a/src/bin/deep/main.rs",
            "a/src/bin/deep/part.rs",
            "a/src/bin/tool.rs",
            "a/src/lib.rs",
            "a/src/main.rs",
            "b/src/lib.rs",
            "src/main.rs",
        ];
        assert_eq!(
            offered(&[package], &paths),
            [
                "b deep src/bin/deep/main.rs a/src/bin/deep/main.rs 1-40",
                "b my-a src/main.rs a/src/main.rs 1-40",
                "l my_a src/lib.rs a/src/lib.rs 1-40",
                "b tool src/bin/tool.rs a/src/bin/tool.rs 1-40",
            ]
        );
        let workspace = ("Cargo.toml", "[workspace]\nmembers = [\"a\"]\n");
        assert!(offered(&[workspace], &paths).is_empty(), "a workspace is no package");
        let other = ("package.json", "{ \"name\": \"x\" }");
        assert!(offered(&[other], &paths).is_empty(), "only Cargo has these places");
    }

    #[test]
    fn what_is_declared_counts_once() {
        let text = "[package]\nname = \"a\"\n[lib]\npath = \"src/other.rs\"\n[[bin]]\nname = \"x\"\npath = \"./src/main.rs\"\n[[bin]]\nname = \"tool\"\n";
        let paths = ["src/bin/tool.rs", "src/lib.rs", "src/main.rs", "src/other.rs"];
        assert_eq!(
            offered(&[("Cargo.toml", text)], &paths),
            ["l a src/other.rs Cargo.toml 3-3", "b x ./src/main.rs Cargo.toml 6-6", "b tool  Cargo.toml 9-9"]
        );
    }
}
