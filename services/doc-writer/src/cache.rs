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
        if entries.len() >= MAX_DOCUMENTS {
            entries.pop_front();
        }
        let entry = Entry::default();
        entries.push_back((document, Arc::clone(&entry)));
        entry
    }
}
