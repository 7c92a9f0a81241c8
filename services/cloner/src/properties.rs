//! What holds for any bytes that arrive here.
//!
//! Compiled for tests and for the fuzz targets of `fuzz/`, which differ only in where the bytes come from.

use std::collections::HashSet;

use caffeine_contract::table::{MAX_BATCH_BYTES, MAX_PAYLOAD};
use caffeine_model::{RepoPath, RepositoryId};

use crate::mirror::{SkipReason, readable_paths};
use crate::plan::{MAX_BATCH_FILES, cut, entries};
use crate::source::{Address, HostPort};

/// What somebody writes as the address of a repository: what is accepted is shown in a form that is accepted again,
/// and a refusal never repeats a password.
pub fn address(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(address) = Address::parse(&text) {
        let shown = address.to_string();
        assert!(shown.bytes().all(|byte| byte.is_ascii_graphic()), "{shown}");
        assert_eq!(Address::parse(&shown).map(|again| again.to_string()).ok(), Some(shown));
    }
    if let Ok(host) = HostPort::parse(&text) {
        assert_eq!(HostPort::parse(&host.to_string()).ok(), Some(host));
    }
    let word: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    let refusal = Address::parse(&format!("https://u:s3cret{word}@h/{text}"));
    assert!(refusal.is_err_and(|error| !error.to_string().contains("s3cret")));
}

/// Entries of a tree, each two bytes of size and a name, with NULs between them: every entry is listed under a path
/// of its own that keeps the rules, and every file that travels is in one batch that fits a message.
pub fn listing(bytes: &[u8]) {
    let raw: Vec<(Vec<u8>, u64)> = bytes
        .split(|byte| *byte == 0)
        .filter_map(|entry| entry.split_at_checked(2))
        .map(|(size, name)| (name.to_vec(), (u64::from(size[0]) << 8 | u64::from(size[1])) * 12))
        .collect();
    let listed = readable_paths(&raw);
    assert_eq!(listed.len(), raw.len());
    let paths: HashSet<&RepoPath> = listed.iter().map(|file| &file.path).collect();
    assert_eq!(paths.len(), listed.len(), "no two have the same path");
    assert!(listed.is_sorted_by(|a, b| a.path < b.path));
    let names: HashSet<&[u8]> = raw.iter().map(|(name, _)| name.as_slice()).collect();
    for file in &listed {
        assert_eq!(RepoPath::parse(file.path.as_str().as_bytes()).as_ref(), Ok(&file.path));
        assert!(file.skip == Some(SkipReason::BadPath) || names.contains(file.path.as_str().as_bytes()));
    }

    let repository = "00000000-0000-0000-0000-000000000007".parse::<RepositoryId>().expect("this is a UUID");
    let mut files = entries(repository, &listed);
    let totals = cut(&mut files, &HashSet::new());
    let sent = files.iter().filter(|file| file.batch.is_some()).count();
    assert_eq!((totals.files as usize, sent + totals.skipped as usize), (files.len(), files.len()));
    for batch in 0..totals.batches {
        let of_batch: Vec<_> = files.iter().filter(|file| file.batch == Some(batch)).collect();
        let content: u64 = of_batch.iter().map(|file| file.size).sum();
        let around: usize = of_batch.iter().map(|file| file.path.as_str().len() + 64).sum();
        assert!((1..=MAX_BATCH_FILES).contains(&of_batch.len()));
        assert!(content <= MAX_BATCH_BYTES || of_batch.len() == 1, "{content} bytes in {} files", of_batch.len());
        assert!(usize::try_from(content).expect("a small batch") + around <= MAX_PAYLOAD);
    }
}

#[cfg(test)]
#[path = "../../../fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    #[test]
    fn committed_inputs() {
        super::replay::replay(&[("address", super::address), ("listing", super::listing)]);
    }
}
