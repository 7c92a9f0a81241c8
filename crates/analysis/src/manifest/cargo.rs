//! `Cargo.toml`.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::spans::Document;
use super::{EntryPoint, EntryPointKind, Manifest, ManifestKind};

const DEPENDENCY_TABLES: &[&str] = &["dependencies", "dev-dependencies", "build-dependencies"];

pub(super) fn parse(text: &str) -> Option<Manifest> {
    let document = Document::parse(text)?;
    let mut manifest = Manifest::new(ManifestKind::Cargo);
    if let Some(package) = document.table(&["package"]) {
        if let Some((name, line)) = document.string(package, "name") {
            manifest.name = Some(name);
            manifest.name_line = Some(line);
        }
        manifest.description = document.string(package, "description").map(|(text, _)| text);
        manifest.version = document.string(package, "version").map(|(text, _)| text);
        manifest.licence = document.string(package, "license").map(|(text, _)| text);
    } else {
        document.table(&["workspace"])?;
    }
    let mut tables: Vec<&DeTable<'_>> = DEPENDENCY_TABLES.iter().filter_map(|name| document.table(&[name])).collect();
    tables.extend(document.table(&["workspace", "dependencies"]));
    for target in document.table(&["target"]).into_iter().flat_map(|targets| targets.values()) {
        let of_target =
            DEPENDENCY_TABLES.iter().filter_map(|name| target.get_ref().as_table()?.get(*name)?.get_ref().as_table());
        tables.extend(of_target);
    }
    for (key, value) in tables.into_iter().flat_map(|table| table.iter()) {
        let key = key.get_ref().to_string();
        match own_name(value) {
            Some(package) => {
                manifest.dependencies.push(package.clone());
                manifest.renamed.entry(key).or_insert(package);
            }
            None => manifest.dependencies.push(key),
        }
    }
    if let Some(library) = document.root.get("lib") {
        let fallback = manifest.name.clone().unwrap_or_default().replace('-', "_");
        manifest.entry_points.extend(entry(&document, library, EntryPointKind::Library, &fallback, "src/lib.rs"));
    }
    let binaries = document.root.get("bin").and_then(|binaries| binaries.get_ref().as_array());
    for binary in binaries.into_iter().flat_map(|binaries| binaries.iter()) {
        let fallback = manifest.name.clone().unwrap_or_default();
        manifest.entry_points.extend(entry(&document, binary, EntryPointKind::Binary, &fallback, ""));
    }
    Some(manifest)
}

/// The package behind a dependency whose key is a name of the manifest's own choice.
fn own_name(value: &Spanned<DeValue<'_>>) -> Option<String> {
    value.get_ref().as_table()?.get("package")?.get_ref().as_str().map(str::to_owned)
}

fn entry(
    document: &Document<'_>,
    value: &Spanned<DeValue<'_>>,
    kind: EntryPointKind,
    name: &str,
    path: &str,
) -> Option<EntryPoint> {
    let table = value.get_ref().as_table()?;
    let own = document.string(table, "name");
    let line = own.as_ref().map_or_else(|| document.line(&value.span()), |(_, line)| *line);
    Some(EntryPoint {
        name: own.map_or_else(|| name.to_owned(), |(name, _)| name),
        kind,
        target: document.string(table, "path").map_or_else(|| path.to_owned(), |(path, _)| path),
        line,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{EntryPointKind, parse_manifest};

    #[test]
    fn a_package_with_targets() {
        let text = "# c\n[package]\nname = \"a-b\"\nversion.workspace = true\nlicense = \"MIT\"\n\n[lib]\nname = \"ab\"\n\n[[bin]]\nname = \"tool\"\npath = \"src/t.rs\"\n\n[dependencies]\nserde = \"1\"\nold = { package = \"new\", version = \"1\" }\n[target.'cfg(unix)'.dependencies]\nlibc = \"0.2\"\n";
        let manifest = parse_manifest("x/Cargo.toml", text).expect("this is a manifest");
        assert_eq!((manifest.name.as_deref(), manifest.name_line), (Some("a-b"), Some(3)));
        assert_eq!((manifest.version, manifest.licence.as_deref()), (None, Some("MIT")));
        assert_eq!(manifest.dependencies, ["libc", "new", "serde"]);
        assert_eq!(manifest.renamed.into_iter().collect::<Vec<_>>(), [("old".to_owned(), "new".to_owned())]);
        let entries: Vec<_> = manifest
            .entry_points
            .iter()
            .map(|entry| (entry.name.as_str(), entry.kind, entry.target.as_str(), entry.line))
            .collect();
        assert_eq!(
            entries,
            [("ab", EntryPointKind::Library, "src/lib.rs", 8), ("tool", EntryPointKind::Binary, "src/t.rs", 11)]
        );
    }

    #[test]
    fn a_workspace_has_no_name_and_nonsense_is_none() {
        let manifest =
            parse_manifest("Cargo.toml", "[workspace]\nmembers = [\"a\"]\n[workspace.dependencies]\nserde = \"1\"\n");
        let manifest = manifest.expect("this is a manifest");
        assert_eq!((manifest.name, manifest.dependencies), (None, vec!["serde".to_owned()]));
        assert_eq!(parse_manifest("Cargo.toml", "]["), None);
        assert_eq!(parse_manifest("Cargo.toml", "[other]\n"), None);
        assert_eq!(parse_manifest("Other.toml", "[package]\nname=\"a\"\n"), None);
    }
}
