//! Cursors of lists as text: opaque to clients.
//!
//! One encoding for all lists: what the list is ordered by, in one letter, the key of the last row that was shown, and
//! the row's identifier, as hexadecimal digits. The letter keeps the cursor of one kind of list out of another.

use caffeine_store::gateway::Cursor;
use chrono::{DateTime, Datelike as _, Utc};
use uuid::Uuid;

/// The longest page of a list.
pub(crate) const MAX_LIMIT: u32 = 200;
/// The page of a list if nobody says otherwise.
pub(crate) const DEFAULT_LIMIT: u32 = 50;

/// The longest name that something has, in characters.
const MAX_NAME: usize = 100;
/// The most bytes of a cursor: the letter, a name of characters of four bytes, and the identifier.
const MAX_BYTES: usize = 1 + 4 * MAX_NAME + 16;

/// What lists are ordered by.
pub(crate) trait Key: Sized {
    /// Tells it from the others.
    const KIND: u8;

    fn write(&self, bytes: &mut Vec<u8>);

    /// `None` if that can be the key of no row.
    fn read(bytes: &[u8]) -> Option<Self>;
}

/// By age.
impl Key for DateTime<Utc> {
    const KIND: u8 = b't';

    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.timestamp_micros().to_be_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let micros = i64::from_be_bytes(bytes.try_into().ok()?);
        // Nothing was made before that, and the database knows no earlier times than 4713 BC.
        DateTime::from_timestamp_micros(micros).filter(|at| (1970..10_000).contains(&at.year()))
    }
}

/// By name.
impl Key for String {
    const KIND: u8 = b'n';

    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(self.as_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let name = std::str::from_utf8(bytes).ok()?;
        // The database takes no text with a zero in it.
        let possible = (1..=MAX_NAME).contains(&name.chars().count()) && !name.contains('\0');
        possible.then(|| name.to_owned())
    }
}

/// By number.
impl Key for i32 {
    const KIND: u8 = b'i';

    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.to_be_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let number = Self::from_be_bytes(bytes.try_into().ok()?);
        (number >= 1).then_some(number)
    }
}

/// The text of a cursor.
pub(crate) fn encode<K: Key>(cursor: Cursor<K>) -> String {
    let mut bytes = vec![K::KIND];
    cursor.key.write(&mut bytes);
    bytes.extend_from_slice(cursor.id.as_bytes());
    hex::encode(bytes)
}

/// Reads a cursor; `None` if it is none of ours, or of another kind of list.
pub(crate) fn decode<K: Key>(text: &str) -> Option<Cursor<K>> {
    if text.len() > 2 * MAX_BYTES {
        return None;
    }
    let bytes = hex::decode(text).ok()?;
    let (kind, rest) = bytes.split_first()?;
    let (key, id) = rest.split_at_checked(rest.len().checked_sub(16)?)?;
    if *kind != K::KIND {
        return None;
    }
    Some(Cursor { key: K::read(key)?, id: Uuid::from_slice(id).ok()? })
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use caffeine_store::gateway::Cursor;
    use chrono::{DateTime, Utc};
    use uuid::Uuid;

    use super::{Key, MAX_BYTES, decode, encode};

    /// What is written is read again, and by no list of another kind.
    fn check<K: Key + Clone + Debug + PartialEq>(key: K) {
        let cursor = Cursor { key, id: Uuid::from_u128(7) };
        let text = encode(cursor.clone());
        assert!(text.len() <= 2 * MAX_BYTES, "{text}");
        assert_eq!(decode(&text), Some(cursor), "{text}");
        let read_by = [
            decode::<DateTime<Utc>>(&text).is_some(),
            decode::<String>(&text).is_some(),
            decode::<i32>(&text).is_some(),
        ];
        assert_eq!(read_by.iter().filter(|read| **read).count(), 1, "{text}");
    }

    #[test]
    fn round_trip() {
        check(DateTime::from_timestamp_micros(1_795_000_000_123_456).unwrap());
        for name in ["a", "four", "of eight", "Überblick", &"\u{10348}".repeat(100)] {
            check(name.to_owned());
        }
        for number in [1, 256, i32::MAX] {
            check(number);
        }
    }

    #[test]
    fn foreign_text_is_refused() {
        let id = "0".repeat(32);
        let far = format!("747fffffffffffffff{id}");
        let early = format!("748100000000000000{id}");
        let short = format!("7400000000000000{id}");
        for text in ["", "00", "74", "zz", &"0".repeat(50), &"g".repeat(50), &far, &early, &short, &id] {
            assert_eq!(decode::<DateTime<Utc>>(text), None, "{text}");
        }
        let nameless = format!("6e{id}");
        let with_a_zero = format!("6e6100{id}");
        let no_text = format!("6eff{id}");
        let long = format!("6e{}{id}", "61".repeat(101));
        let endless = format!("6e{}{id}", "61".repeat(1_000_000));
        for text in ["6e", &nameless, &with_a_zero, &no_text, &long, &endless] {
            assert_eq!(decode::<String>(text), None, "{text:.100}");
        }
        for number in ["00000000", "ffffffff", "0000000001", "01"] {
            let text = format!("69{number}{id}");
            assert_eq!(decode::<i32>(&text), None, "{text}");
        }
    }
}
