//! `go.mod`.

use super::{Manifest, ManifestKind};

pub(super) fn parse(text: &str) -> Option<Manifest> {
    let mut manifest = Manifest::new(ManifestKind::GoMod);
    let mut in_require = false;
    for (line, number) in text.lines().zip(1_u32..) {
        let statement = line.split("//").next().unwrap_or_default().trim();
        let mut words = statement.split_whitespace();
        match (words.next(), words.next()) {
            (Some("module"), Some(name)) if manifest.name.is_none() => {
                manifest.name = Some(name.trim_matches(['"', '`']).to_owned());
                manifest.name_line = Some(number);
            }
            (Some("require"), Some("(")) => in_require = true,
            (Some(")"), _) => in_require = false,
            // What is only needed by others is not a direct dependency.
            (Some("require"), Some(path)) if !line.contains("// indirect") => {
                manifest.dependencies.push(path.to_owned());
            }
            (Some(path), Some(_)) if in_require && !line.contains("// indirect") => {
                manifest.dependencies.push(path.to_owned());
            }
            _ => {}
        }
    }
    manifest.name.is_some().then_some(manifest)
}

#[cfg(test)]
mod tests {
    use super::super::parse_manifest;

    #[test]
    fn direct_requirements_only() {
        let text = "// c\nmodule example.org/m/v2\n\ngo 1.22\n\nrequire (\n\tgithub.com/a/b v1.0.0\n\tgithub.com/c/d v1.0.0 // indirect\n)\nrequire golang.org/x/text v0.1.0\nreplace a => b v1\n";
        let manifest = parse_manifest("go.mod", text).expect("this is a manifest");
        assert_eq!((manifest.name.as_deref(), manifest.name_line), (Some("example.org/m/v2"), Some(2)));
        assert_eq!(manifest.dependencies, ["github.com/a/b", "golang.org/x/text"]);
        assert_eq!(parse_manifest("go.mod", "nothing"), None);
    }
}
