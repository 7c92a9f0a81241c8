//! Pages of lists, by keyset: a list that grows while it is read shows nothing twice.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The place after a row in a list: most are ordered by age, some by name or by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor<K = DateTime<Utc>> {
    /// What the list is ordered by: when the row was made, what it is called, or its number.
    pub key: K,
    /// Its identifier, which breaks ties.
    pub id: Uuid,
}

/// Some rows of a list.
#[derive(Debug, Clone)]
pub struct Page<T, K = DateTime<Utc>> {
    /// The rows.
    pub items: Vec<T>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Cursor<K>>,
}

impl<T, K> Page<T, K> {
    /// Makes a page of `limit` rows from up to `limit + 1`.
    pub(crate) fn cut(mut items: Vec<T>, limit: i64, cursor: impl Fn(&T) -> Cursor<K>) -> Self {
        let limit = usize::try_from(limit).unwrap_or(0);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(cursor) } else { None };
        Self { items, next }
    }
}
