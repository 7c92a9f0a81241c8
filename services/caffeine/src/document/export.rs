//! Writes a run's documents as a tree of Markdown with the cited sources beside them.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::document::client::{Client, Submitted};

/// Marks a directory as written by this program, so that it may be emptied.
const MARKER: &str = ".caffeine-docs";

/// What was written.
#[derive(Debug, Default)]
pub(crate) struct Exported {
    /// Pages.
    pub(crate) pages: usize,
    /// Pages that could not be written by the doc-writer.
    pub(crate) failed_pages: usize,
    /// Cited files.
    pub(crate) sources: usize,
    /// What the reader should know (for instance that no model was configured).
    pub(crate) notices: Vec<String>,
    /// First pages of the documents.
    pub(crate) entries: Vec<PathBuf>,
}

/// Refuses a directory with somebody else's files in it, before any work is done.
pub(crate) fn check_target(out: &Path) -> anyhow::Result<()> {
    let Ok(mut entries) = std::fs::read_dir(out) else { return Ok(()) };
    if entries.next().is_some() && !out.join(MARKER).exists() {
        bail!("{} is not empty and was not written by caffeine: give another directory with --out", out.display());
    }
    Ok(())
}

/// Writes every document of the run below `out`, one directory each.
pub(crate) async fn export(client: &Client, submitted: &Submitted, out: &Path) -> anyhow::Result<Exported> {
    check_target(out)?;
    if out.exists() {
        std::fs::remove_dir_all(out).with_context(|| format!("empty {}", out.display()))?;
    }
    std::fs::create_dir_all(out).with_context(|| format!("create {}", out.display()))?;
    write(&out.join(MARKER), "Written by caffeine document; it may replace everything here.\n")?;
    let mut exported = Exported::default();
    let run: Value = client.get(&format!("runs/{}", submitted.run)).await?;
    let mut names = BTreeSet::new();
    for document in run["documents"].as_array().cloned().unwrap_or_default() {
        let id = document["id"].as_str().context("a document without an id")?;
        let name = directory_name(document["title"].as_str().unwrap_or_default(), &mut names);
        export_document(client, id, &out.join(name), &mut exported).await?;
    }
    Ok(exported)
}

async fn export_document(client: &Client, id: &str, folder: &Path, exported: &mut Exported) -> anyhow::Result<()> {
    let document: Value = client.get(&format!("documents/{id}")).await?;
    if let Some(notice) = document["notice"].as_str().filter(|notice| !notice.is_empty()) {
        exported.notices.push(notice.to_owned());
    }
    let mut sources = BTreeSet::new();
    for page in document["pages"].as_array().cloned().unwrap_or_default() {
        let slug = page["slug"].as_str().context("a page without a slug")?;
        if page["state"].as_str() != Some("published") {
            exported.failed_pages += 1;
            let reason = page["failure_reason"].as_str().unwrap_or("no reason given");
            exported.notices.push(format!("page {slug} could not be written: {reason}"));
            continue;
        }
        let path = format!("documents/{id}/pages/{slug}.md");
        let markdown = client.text(&path).await?.with_context(|| format!("page {slug} is gone"))?;
        collect_sources(&markdown, &mut sources);
        write(&folder.join(format!("{slug}.md")), &markdown)?;
        exported.pages += 1;
    }
    for source in sources {
        let relative = decode(&source);
        if !is_safe(&relative) {
            exported.notices.push(format!("a cited path is not written to the disk: {relative:?}"));
            continue;
        }
        if let Some(text) = client.text(&format!("documents/{id}/pages/sources/{source}")).await? {
            write(&folder.join("sources").join(&relative), &text)?;
            exported.sources += 1;
        }
    }
    exported.entries.push(folder.join("index.md"));
    Ok(())
}

/// The still encoded paths after `](sources/`, up to the fragment.
fn collect_sources(markdown: &str, sources: &mut BTreeSet<String>) {
    for link in markdown.split("](sources/").skip(1) {
        if let Some(path) = link.split(['#', ')']).next() {
            sources.insert(path.to_owned());
        }
    }
}

/// Percent-decodes; what is no UTF-8 afterwards is replaced, and found unsafe or absent later.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        match (bytes[at], hex.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                at += 3;
            }
            (byte, _) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// The repository names these paths: only plain components may become files.
fn is_safe(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|component| matches!(component, Component::Normal(_)))
}

/// A directory name made of a title, unique in this export.
fn directory_name(title: &str, taken: &mut BTreeSet<String>) -> String {
    let mut name: String = title
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect::<String>()
        .split('-')
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("-");
    name.truncate(60);
    let base = if name.is_empty() { "document".to_owned() } else { name };
    let mut unique = base.clone();
    let mut number = 2;
    while !taken.insert(unique.clone()) {
        unique = format!("{base}-{number}");
        number += 1;
    }
    unique
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    }
    std::fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{collect_sources, decode, directory_name, is_safe};

    #[test]
    fn sources_are_found_and_decoded() {
        let mut sources = BTreeSet::new();
        collect_sources("[`a b.rs:L1`](sources/a%20b.rs#L1) and [`c:L2`](sources/c)", &mut sources);
        assert_eq!(sources.iter().map(|source| decode(source)).collect::<Vec<_>>(), ["a b.rs", "c"]);
        assert_eq!(decode("100%"), "100%");
    }

    #[test]
    fn only_plain_paths_become_files() {
        assert!(is_safe("src/main.rs"));
        for path in ["", "../x", "/etc/passwd", "a/../../b", "./a"] {
            assert!(!is_safe(path), "{path}");
        }
    }

    #[test]
    fn directory_names_are_tame_and_unique() {
        let mut taken = BTreeSet::new();
        assert_eq!(directory_name("Module: ../Docs", &mut taken), "module-docs");
        assert_eq!(directory_name("module docs", &mut taken), "module-docs-2");
        assert_eq!(directory_name("…", &mut taken), "document");
    }
}
