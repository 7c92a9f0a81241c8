//! From rows to facts.

use std::io::Read;

use caffeine_contract::Scope;
use caffeine_model::DocumentId;
use caffeine_store::doc_writer::{DocumentRow, FileRow, PageRow};
use caffeine_store::{Store, StoreError};

use super::Facts;

/// How much of a file's text is read: a first paragraph is at its beginning.
const MAX_TEXT_BYTES: u64 = 256 * 1024;

/// What all pages of a document share.
#[derive(Debug, Clone, PartialEq)]
pub struct Material {
    /// The document.
    pub document: DocumentRow,
    /// Its pages, in order.
    pub pages: Vec<PageRow>,
    /// The snapshot.
    pub facts: Facts,
}

impl Material {
    /// Reads it. `None` if the document or its snapshot is gone.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn load(store: &Store, scope: &Scope, document: DocumentId) -> Result<Option<Self>, StoreError> {
        let Some(row) = store.document(scope.workspace, document).await? else { return Ok(None) };
        let pages = store.document_pages(scope.workspace, document).await?;
        let Some(facts) = load_facts(store, scope).await? else { return Ok(None) };
        Ok(Some(Self { document: row, pages, facts }))
    }
}

/// Reads the facts of the scope's run. `None` if it has no snapshot.
///
/// # Errors
/// If the database cannot be asked.
pub async fn load_facts(store: &Store, scope: &Scope) -> Result<Option<Facts>, StoreError> {
    let (workspace, run) = (scope.workspace, scope.run);
    let Some(row) = store.run_row(workspace, run).await? else { return Ok(None) };
    Ok(Some(Facts {
        run: row,
        files: store.snapshot_rows(workspace, run, &scope.analyser).await?,
        modules: store.module_rows(workspace, run).await?,
        edges: store.module_edge_rows(workspace, run).await?,
        packages: store.module_package_rows(workspace, run).await?,
        counts: store.symbol_counts(workspace, run, &scope.analyser).await?,
    }))
}

/// The readme of a directory with the beginning of its text, if it has one.
///
/// # Errors
/// If the database cannot be asked.
pub async fn readme(
    store: &Store,
    scope: &Scope,
    facts: &Facts,
    directory: &str,
) -> Result<Option<(String, String)>, StoreError> {
    let Some(file) = readme_of(facts, directory) else { return Ok(None) };
    let packed = store.file_text(scope.workspace, scope.run, &scope.analyser, &file.path).await?;
    let text = packed.and_then(|packed| unpacked(&packed));
    Ok(text.map(|text| (file.path.clone(), text)))
}

/// The file named `README` of a directory; Markdown before anything else.
fn readme_of<'facts>(facts: &'facts Facts, directory: &str) -> Option<&'facts FileRow> {
    const NAMES: [&str; 5] = ["readme.md", "readme.markdown", "readme.rst", "readme.txt", "readme"];
    let prefix = if directory.is_empty() { String::new() } else { format!("{directory}/") };
    // Files are in order of path, and every module's page asks.
    let begin = facts.files.partition_point(|file| file.path < prefix);
    let below = facts.files.iter().skip(begin).map_while(|file| Some((file, file.path.strip_prefix(&prefix)?)));
    let in_directory = below.filter(|(file, _)| file.has_text).filter_map(|(file, name)| {
        let preference = NAMES.iter().position(|known| known.eq_ignore_ascii_case(name))?;
        Some((preference, file))
    });
    in_directory.min_by_key(|(preference, file)| (*preference, &file.path)).map(|(_, file)| file)
}

/// The beginning of a packed text. A damaged one is as good as none.
fn unpacked(packed: &[u8]) -> Option<String> {
    let mut bytes = Vec::new();
    zstd::stream::read::Decoder::new(packed).ok()?.take(MAX_TEXT_BYTES).read_to_end(&mut bytes).ok()?;
    // The cut may have gone through a character.
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::{readme_of, unpacked};
    use crate::facts::sample;

    #[test]
    fn the_readme_of_a_directory() {
        let facts = sample::facts();
        assert_eq!(readme_of(&facts, "").map(|file| file.path.as_str()), Some("README.md"));
        assert_eq!(readme_of(&facts, "src"), None);
    }

    #[test]
    fn text_is_bounded_and_damage_is_no_panic() {
        let packed = zstd::encode_all(&vec![b'a'; 1 << 20][..], 1).unwrap();
        assert_eq!(unpacked(&packed).map(|text| text.len()), Some(256 * 1024));
        assert_eq!(unpacked(b"no zstd"), None);
    }
}
