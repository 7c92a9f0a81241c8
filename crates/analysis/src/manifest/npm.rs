//! `package.json`.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::spans::json_lines;
use super::{EntryPoint, EntryPointKind, Manifest, ManifestKind};

const DEPENDENCY_TABLES: &[&str] = &["dependencies", "devDependencies", "peerDependencies", "optionalDependencies"];

pub(super) fn parse(text: &str) -> Option<Manifest> {
    let Value::Object(root) = serde_json::from_str(text).ok()? else {
        return None;
    };
    let lines: HashMap<Vec<String>, u32> = json_lines(text).into_iter().collect();
    let line = |path: &[&str]| lines.get(&path.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>()).copied();
    let string = |key: &str| root.get(key).and_then(Value::as_str).map(str::to_owned);

    let mut manifest = Manifest::new(ManifestKind::Npm);
    manifest.name = string("name");
    manifest.name_line = manifest.name.as_ref().and_then(|_| line(&["name"]));
    manifest.description = string("description");
    manifest.version = string("version");
    manifest.licence = string("license");
    for table in DEPENDENCY_TABLES {
        manifest.dependencies.extend(object(&root, table).into_iter().flat_map(|table| table.keys().cloned()));
    }
    let name = manifest.name.clone().unwrap_or_default();
    let mut push = |name: &str, kind, target: &str, path: &[&str]| {
        let line = line(path).unwrap_or(1);
        manifest.entry_points.push(EntryPoint { name: name.to_owned(), kind, target: target.to_owned(), line });
    };
    for (script, command) in object(&root, "scripts").into_iter().flatten() {
        push(script, EntryPointKind::Script, command.as_str().unwrap_or_default(), &["scripts", script]);
    }
    match root.get("bin") {
        Some(Value::String(target)) => {
            push(name.rsplit('/').next().unwrap_or(&name), EntryPointKind::Binary, target, &["bin"]);
        }
        Some(Value::Object(commands)) => {
            for (command, target) in commands {
                push(command, EntryPointKind::Binary, target.as_str().unwrap_or_default(), &["bin", command]);
            }
        }
        _ => {}
    }
    for key in ["main", "module", "types"] {
        if let Some(target) = root.get(key).and_then(Value::as_str) {
            push(&name, EntryPointKind::Library, target, &[key]);
        }
    }
    if let Some(target) = root.get("exports").and_then(|exports| root_export(exports, 0)) {
        push(&name, EntryPointKind::Library, target, &["exports"]);
    }
    Some(manifest)
}

fn object<'root>(root: &'root Map<String, Value>, key: &str) -> Option<&'root Map<String, Value>> {
    root.get(key)?.as_object()
}

/// What `import "package"` loads: the `.` of `exports`, under whatever condition comes first.
fn root_export(exports: &Value, depth: usize) -> Option<&str> {
    match exports {
        Value::String(target) => Some(target),
        Value::Object(conditions) if depth < 4 => {
            let chosen = [".", "import", "default", "require", "types"].iter().find_map(|key| conditions.get(*key))?;
            root_export(chosen, depth + 1)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{EntryPointKind, parse_manifest};

    #[test]
    fn a_package_with_scripts() {
        let text = "{\n  \"name\": \"@a/b\",\n  \"version\": \"1.0.0\",\n  \"bin\": { \"b\": \"./cli.js\" },\n  \"scripts\": {\n    \"build\": \"tsc\"\n  },\n  \"exports\": { \".\": { \"import\": \"./dist/index.js\" } },\n  \"devDependencies\": { \"typescript\": \"5\" },\n  \"dependencies\": { \"zod\": \"4\" }\n}\n";
        let manifest = parse_manifest("package.json", text).expect("this is a manifest");
        assert_eq!((manifest.name.as_deref(), manifest.name_line), (Some("@a/b"), Some(2)));
        assert_eq!(manifest.dependencies, ["typescript", "zod"]);
        let entries: Vec<_> = manifest
            .entry_points
            .iter()
            .map(|entry| (entry.name.as_str(), entry.kind, entry.target.as_str(), entry.line))
            .collect();
        assert_eq!(
            entries,
            [
                ("b", EntryPointKind::Binary, "./cli.js", 4),
                ("build", EntryPointKind::Script, "tsc", 6),
                ("@a/b", EntryPointKind::Library, "./dist/index.js", 8)
            ]
        );
        for nonsense in ["", "[]", "{", "\"a\""] {
            assert_eq!(parse_manifest("package.json", nonsense), None, "{nonsense}");
        }
    }
}
