//! What the pages of a document share, read once per pod and not once per page.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use caffeine_contract::Scope;
use caffeine_model::DocumentId;
use caffeine_store::{Store, StoreError};
use tokio::sync::OnceCell;

use crate::facts::Material;

/// Documents kept at once: a pod has few slots, so its pages belong to few documents.
const MAX_DOCUMENTS: usize = 4;
/// Files of all kept documents' snapshots, which their material grows with; the newest document is kept however many it
/// has.
const MAX_FILES: usize = 30_000;

type Entry = Arc<OnceCell<Arc<Material>>>;

/// The last few documents. The rows behind them do not change while a document is written.
#[derive(Clone, Default)]
pub(crate) struct MaterialCache {
    entries: Arc<Mutex<VecDeque<(DocumentId, Entry)>>>,
}

impl MaterialCache {
    /// The material of a document, read at most once at a time. `None` if it is gone.
    pub(crate) async fn get(
        &self,
        store: &Store,
        scope: &Scope,
        document: DocumentId,
    ) -> Result<Option<Arc<Material>>, StoreError> {
        enum Miss {
            Gone,
            Store(StoreError),
        }
        let entry = self.entry(document);
        let material = entry
            .get_or_try_init(|| async {
                let material = Material::load(store, scope, document).await.map_err(Miss::Store)?;
                material.map(Arc::new).ok_or(Miss::Gone)
            })
            .await;
        match material {
            // An entry of another workspace was made with that workspace's scope, and this page was found in ours.
            Ok(material) => Ok(Some(Arc::clone(material))),
            Err(Miss::Gone) => Ok(None),
            Err(Miss::Store(error)) => Err(error),
        }
    }

    /// Drops a document that has ended.
    pub(crate) fn forget(&self, document: DocumentId) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).retain(|(known, _)| *known != document);
    }

    fn entry(&self, document: DocumentId) -> Entry {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, entry)) = entries.iter().find(|(known, _)| *known == document) {
            return Arc::clone(entry);
        }
        while entries.len() >= MAX_DOCUMENTS || files(&entries) > MAX_FILES {
            entries.pop_front();
        }
        let entry = Entry::default();
        entries.push_back((document, Arc::clone(&entry)));
        entry
    }
}

/// How many files the snapshots of these documents have; of what is still being read nothing is known.
fn files(entries: &VecDeque<(DocumentId, Entry)>) -> usize {
    entries.iter().filter_map(|(_, entry)| entry.get()).map(|material| material.facts.files.len()).sum()
}

#[cfg(test)]
mod tests {
    use caffeine_model::{DocumentState, RepositoryId, RunId};
    use caffeine_store::doc_writer::DocumentRow;

    use super::*;
    use crate::facts::sample;

    fn read(cache: &MaterialCache, files: usize) -> DocumentId {
        let document = DocumentId::generate();
        let mut facts = sample::facts();
        let file = facts.files[0].clone();
        facts.files.resize(files, file);
        let row = DocumentRow {
            document,
            repository: RepositoryId::generate(),
            run: RunId::generate(),
            title: String::new(),
            template: None,
            state: DocumentState::Writing,
            notice: None,
        };
        let material = Material { document: row, pages: Vec::new(), facts };
        assert!(cache.entry(document).set(Arc::new(material)).is_ok(), "read anew");
        document
    }

    fn kept(cache: &MaterialCache) -> Vec<DocumentId> {
        cache.entries.lock().unwrap().iter().map(|(document, _)| *document).collect()
    }

    #[test]
    fn few_documents_and_few_files_are_kept() {
        let cache = MaterialCache::default();
        let small: Vec<_> = (0..6).map(|_| read(&cache, 10)).collect();
        assert_eq!(kept(&cache), small[2..]);
        let large = read(&cache, MAX_FILES + 1);
        assert_eq!(kept(&cache), [&small[3..], &[large]].concat());
        let next = read(&cache, 10);
        assert_eq!(kept(&cache), [next], "what is too large makes room for the next one");
    }
}
