//! `pom.xml`, by looking for its elements: good for the facts, not for inheritance or profiles.

use super::{Manifest, ManifestKind};

/// The most tags that are looked at.
const MAX_TAGS: usize = 50_000;

pub(super) fn parse(text: &str) -> Option<Manifest> {
    let mut manifest = Manifest::new(ManifestKind::Maven);
    let mut path: Vec<&str> = Vec::new();
    let mut group = None;
    let mut artifact = None;
    let mut dependency: (Option<&str>, Option<&str>) = (None, None);
    let mut rest = text;
    for _ in 0..MAX_TAGS {
        let Some(open) = rest.find('<') else { break };
        let at = text.len() - rest.len() + open;
        rest = rest.get(open + 1..).unwrap_or_default();
        if rest.starts_with("!--") {
            rest = rest.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let Some((tag, after)) = rest.split_once('>') else {
            break;
        };
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            if path.last() == Some(&name.trim()) {
                path.pop();
            }
            if name.trim() == "dependency"
                && let (Some(group), Some(artifact)) = std::mem::take(&mut dependency)
            {
                manifest.dependencies.push(format!("{group}:{artifact}"));
            }
            continue;
        }
        if tag.starts_with(['?', '!']) || tag.ends_with('/') || path.len() > 64 {
            continue;
        }
        path.push(tag.split_whitespace().next().unwrap_or_default());
        let value = after.split('<').next().unwrap_or_default().trim();
        match path.as_slice() {
            ["project", "groupId"] => group = Some(value),
            ["project", "parent", "groupId"] if group.is_none() => group = Some(value),
            ["project", "artifactId"] => {
                artifact = Some(value);
                manifest.name_line = Some(line_of(text, at));
            }
            ["project", "version"] => manifest.version = Some(value.to_owned()),
            ["project", "description"] => {
                manifest.description = Some(crate::text::one_line(value, 1_000));
            }
            ["project", "licenses", "license", "name"] => manifest.licence = Some(value.to_owned()),
            ["project", "dependencies", "dependency", "groupId"] => dependency.0 = Some(value),
            ["project", "dependencies", "dependency", "artifactId"] => dependency.1 = Some(value),
            _ => {}
        }
    }
    manifest.name = Some(match group {
        Some(group) => format!("{group}:{}", artifact?),
        None => artifact?.to_owned(),
    });
    Some(manifest)
}

fn line_of(text: &str, at: usize) -> u32 {
    let before = text.get(..at).unwrap_or_default();
    crate::text::clamp(before.bytes().filter(|byte| *byte == b'\n').count() + 1)
}

#[cfg(test)]
mod tests {
    use super::super::parse_manifest;

    #[test]
    fn the_projects_own_elements_only() {
        let text = "<?xml version=\"1.0\"?>\n<project xmlns=\"x\">\n  <!-- <artifactId>no</artifactId> -->\n  <parent><groupId>org.p</groupId><artifactId>parent</artifactId></parent>\n  <artifactId>app</artifactId>\n  <version>1.0</version>\n  <dependencies>\n    <dependency><groupId>a.b</groupId><artifactId>c</artifactId></dependency>\n  </dependencies>\n</project>\n";
        let manifest = parse_manifest("pom.xml", text).expect("this is a manifest");
        assert_eq!((manifest.name.as_deref(), manifest.name_line), (Some("org.p:app"), Some(5)));
        assert_eq!(manifest.version.as_deref(), Some("1.0"));
        assert_eq!(manifest.dependencies, ["a.b:c"]);
        assert_eq!(parse_manifest("pom.xml", "<project"), None);
    }
}
