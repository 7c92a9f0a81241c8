//! Cursors of lists as text: opaque to clients.

use caffeine_store::gateway::Cursor;
use chrono::{DateTime, Datelike as _};
use uuid::Uuid;

/// The longest page of a list.
pub(crate) const MAX_LIMIT: u32 = 200;
/// The page of a list if nobody says otherwise.
pub(crate) const DEFAULT_LIMIT: u32 = 50;

/// The text of a cursor: 24 bytes as hexadecimal digits.
pub(crate) fn encode(cursor: Cursor) -> String {
    let mut bytes = [0_u8; 24];
    bytes[..8].copy_from_slice(&cursor.created_at.timestamp_micros().to_be_bytes());
    bytes[8..].copy_from_slice(cursor.id.as_bytes());
    hex::encode(bytes)
}

/// Reads a cursor; `None` if it is none of ours.
pub(crate) fn decode(text: &str) -> Option<Cursor> {
    let mut bytes = [0_u8; 24];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    let micros = i64::from_be_bytes(bytes[..8].try_into().ok()?);
    // Nothing was made before that, and the database knows no earlier times than 4713 BC.
    let created_at = DateTime::from_timestamp_micros(micros).filter(|at| (1970..10_000).contains(&at.year()))?;
    Some(Cursor { created_at, id: Uuid::from_slice(&bytes[8..]).ok()? })
}

#[cfg(test)]
mod tests {
    use caffeine_store::gateway::Cursor;
    use chrono::DateTime;
    use uuid::Uuid;

    use super::{decode, encode};

    #[test]
    fn round_trip() {
        let created_at = DateTime::from_timestamp_micros(1_795_000_000_123_456).unwrap();
        let cursor = Cursor { created_at, id: Uuid::from_u128(7) };
        assert_eq!(decode(&encode(cursor)), Some(cursor));
    }

    #[test]
    fn foreign_text_is_refused() {
        let far = format!("7fffffffffffffff{}", "0".repeat(32));
        let early = format!("8100000000000000{}", "0".repeat(32));
        for text in ["", "00", "zz", &"0".repeat(46), &"g".repeat(48), &far, &early] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
