//! `pyproject.toml`: the standard `[project]` table, and Poetry's.

use super::spans::{Document, strings};
use super::{EntryPoint, EntryPointKind, Manifest, ManifestKind};

pub(super) fn parse(text: &str) -> Option<Manifest> {
    let document = Document::parse(text)?;
    let mut manifest = Manifest::new(ManifestKind::PyProject);
    let table = document.table(&["project"]).or_else(|| document.table(&["tool", "poetry"]));
    let Some(table) = table else {
        return Some(manifest);
    };
    if let Some((name, line)) = document.string(table, "name") {
        manifest.name = Some(name);
        manifest.name_line = Some(line);
    }
    manifest.description = document.string(table, "description").map(|(text, _)| text);
    manifest.version = document.string(table, "version").map(|(text, _)| text);
    let licence_table = table.get("license").and_then(|licence| licence.get_ref().as_table());
    let licence = document.string(table, "license").or_else(|| document.string(licence_table?, "text"));
    manifest.licence = licence.map(|(text, _)| text);

    let mut requirements: Vec<&str> = Vec::new();
    requirements.extend(table.get("dependencies").into_iter().flat_map(strings).map(|(text, _)| text));
    for extra in ["optional-dependencies", "dependency-groups"] {
        let groups =
            table.get(extra).or_else(|| document.root.get(extra)).and_then(|groups| groups.get_ref().as_table());
        let listed = groups.into_iter().flat_map(|groups| groups.values()).flat_map(strings);
        requirements.extend(listed.map(|(text, _)| text));
    }
    manifest.dependencies.extend(requirements.into_iter().map(requirement_name).filter(|name| !name.is_empty()));
    // Poetry lists them as a table.
    let poetry = table.get("dependencies").and_then(|dependencies| dependencies.get_ref().as_table());
    let named = poetry.into_iter().flat_map(|table| table.keys()).map(|key| key.get_ref().to_string());
    manifest.dependencies.extend(named.filter(|name| name != "python"));

    for (key, kind) in [("scripts", EntryPointKind::Script), ("gui-scripts", EntryPointKind::Script)] {
        let scripts = table.get(key).and_then(|scripts| scripts.get_ref().as_table());
        for (name, target) in scripts.into_iter().flat_map(|scripts| scripts.iter()) {
            manifest.entry_points.push(EntryPoint {
                name: name.get_ref().to_string(),
                kind,
                target: target.get_ref().as_str().unwrap_or_default().to_owned(),
                line: document.line(&name.span()),
            });
        }
    }
    Some(manifest)
}

/// The name before extras, versions and markers.
fn requirement_name(requirement: &str) -> String {
    let is_name = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.');
    requirement.trim().chars().take_while(|character| is_name(*character)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::parse_manifest;

    #[test]
    fn the_standard_table_and_poetrys() {
        let text = "[project]\nname = \"a\"\nlicense = { text = \"MIT\" }\ndependencies = [\"requests[socks] >=2; python_version > '3'\", \"x.y\"]\n[project.optional-dependencies]\ndev = [\"pytest\"]\n[project.scripts]\na = \"a.cli:main\"\n";
        let manifest = parse_manifest("pyproject.toml", text).expect("this is a manifest");
        assert_eq!(
            (manifest.name.as_deref(), manifest.name_line, manifest.licence.as_deref()),
            (Some("a"), Some(2), Some("MIT"))
        );
        assert_eq!(manifest.dependencies, ["pytest", "requests", "x.y"]);
        let script =
            manifest.entry_points.first().map(|entry| (entry.name.as_str(), entry.target.as_str(), entry.line));
        assert_eq!(script, Some(("a", "a.cli:main", 8)));

        let poetry = "[tool.poetry]\nname = \"p\"\n[tool.poetry.dependencies]\npython = \"^3\"\nflask = \"*\"\n";
        let manifest = parse_manifest("pyproject.toml", poetry).expect("this is a manifest");
        assert_eq!((manifest.name.as_deref(), manifest.dependencies), (Some("p"), vec!["flask".to_owned()]));
    }
}
