//! What a session's cookie says, and whom it belongs to.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use caffeine_model::SessionId;
use caffeine_store::gateway::PrincipalRow;
use serde::{Deserialize, Serialize};

/// What the cookie's text is.
pub(crate) const KIND: &str = "session+jwt";
/// More are not remembered: then everybody is looked up anew.
const MAX_REMEMBERED: usize = 20_000;

/// The claims of a session's cookie.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// The row.
    pub(crate) sid: SessionId,
    /// Signed at, in seconds.
    pub(crate) iat: i64,
    /// To be signed anew after, in seconds.
    pub(crate) exp: i64,
}

/// Sessions that were looked up a moment ago: what was ended elsewhere is noticed when the moment is over.
pub(crate) struct Remembered {
    moment: Duration,
    rows: Mutex<HashMap<SessionId, (Instant, PrincipalRow)>>,
}

impl Remembered {
    pub(crate) fn new(moment: Duration) -> Self {
        Self { moment, rows: Mutex::default() }
    }

    pub(crate) fn get(&self, id: SessionId) -> Option<PrincipalRow> {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, row) = rows.get(&id)?;
        (since.elapsed() < self.moment).then(|| row.clone())
    }

    pub(crate) fn put(&self, id: SessionId, row: PrincipalRow) {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if rows.len() >= MAX_REMEMBERED {
            rows.retain(|_, (since, _)| since.elapsed() < self.moment);
        }
        if rows.len() >= MAX_REMEMBERED {
            rows.clear();
        }
        rows.insert(id, (Instant::now(), row));
    }

    /// Forgets those that somebody has changed here.
    pub(crate) fn forget(&self, is_changed: impl Fn(&PrincipalRow) -> bool) {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        rows.retain(|_, (_, row)| !is_changed(row));
    }
}
