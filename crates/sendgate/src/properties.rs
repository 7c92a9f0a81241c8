//! What holds for any bytes that arrive here.
//!
//! Compiled for tests and for the fuzz targets of `fuzz/`, which differ only in where the bytes come from.

use crate::{is_denied_path, normalise, redact};

/// Any text with two secrets planted on lines of their own: both go, all lines stay.
pub fn leaving(bytes: &[u8]) {
    let foreign = String::from_utf8_lossy(bytes);
    let token = format!("ghp_{}", "aB3dE6gH9".repeat(4));
    let key = format!("AKIA{}", "ABCDEFGH12345678");
    let text = format!("{token}\n{foreign}\n{key}\n{foreign}");

    let once = normalise(&text);
    assert_eq!(newlines(&once.text), newlines(&text));
    assert_eq!(text.chars().count() as u64, once.text.chars().count() as u64 + once.dropped);
    assert_eq!(normalise(&once.text).dropped, 0, "nothing hidden is left");

    let clean = redact(&once.text);
    assert_eq!(newlines(&clean.text), newlines(&text));
    assert!(!clean.text.contains(&token) && !clean.text.contains(&key));
    let lines = u32::try_from(newlines(&text)).expect("a short text") + 1;
    assert!(clean.findings.len() >= 2);
    assert!(clean.findings.is_sorted_by_key(|finding| finding.line));
    assert!(clean.findings.iter().all(|finding| (1..=lines).contains(&finding.line)));
    assert_eq!(redact(&once.text), clean, "the same input gives the same output");

    // What is denied stays denied in other letters and under another folder.
    if is_denied_path(&foreign) {
        assert!(is_denied_path(&foreign.to_ascii_uppercase()) && is_denied_path(&format!("a/b/{foreign}")));
    }
}

fn newlines(text: &str) -> usize {
    text.matches('\n').count()
}

#[cfg(test)]
#[path = "../../../fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    #[test]
    fn committed_inputs() {
        super::replay::replay(&[("leaving", super::leaving)]);
    }
}
