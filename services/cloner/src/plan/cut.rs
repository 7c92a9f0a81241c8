//! Cutting a listing into batches.

use std::collections::HashSet;

use caffeine_contract::table::{BULK_FILES, MAX_BATCH_BYTES};
use caffeine_model::{FileVersionId, Lane, RepositoryId};
use caffeine_store::cloner::{PlanTotals, SnapshotFile};

use crate::mirror::Listed;

/// Most files in one batch: bounds the rows of one transaction downstream.
pub const MAX_BATCH_FILES: usize = 512;

/// Most bytes of paths, ids and framing in one batch. With the content and what compression can add in the worst case
/// the message still fits the payload.
const MAX_OVERHEAD: usize = 128 * 1024;

/// Identifier, object id and the framing of protobuf around one file.
const FILE_OVERHEAD: usize = 64;

/// The listing as rows of the snapshot, nothing planned yet.
#[must_use]
pub fn entries(repository: RepositoryId, listed: &[Listed]) -> Vec<SnapshotFile> {
    listed
        .iter()
        .map(|file| SnapshotFile {
            path: file.path.clone(),
            version: FileVersionId::derive(repository, &file.path, file.oid),
            oid: file.oid,
            mode: file.mode,
            size: file.size,
            batch: None,
            skip_reason: file.skip.map(crate::mirror::SkipReason::as_str),
        })
        .collect()
}

/// Puts every file that is neither skipped nor known into a batch, in the order given.
pub fn cut(files: &mut [SnapshotFile], known: &HashSet<FileVersionId>) -> PlanTotals {
    let mut totals = PlanTotals { lane: Lane::Interactive, batches: 0, files: 0, known: 0, skipped: 0, bytes: 0 };
    let mut open = Batch::default();
    let mut sent = 0_usize;
    for file in files.iter_mut() {
        totals.files += 1;
        if file.skip_reason.is_some() {
            totals.skipped += 1;
            continue;
        }
        if known.contains(&file.version) {
            totals.known += 1;
            continue;
        }
        if totals.batches == 0 || !open.takes(file) {
            totals.batches += 1;
            open = Batch::default();
        }
        open.add(file);
        file.batch = Some(totals.batches - 1);
        totals.bytes += file.size;
        sent += 1;
    }
    if sent >= BULK_FILES {
        totals.lane = Lane::Bulk;
    }
    totals
}

/// How full a batch is.
#[derive(Default)]
struct Batch {
    files: usize,
    bytes: u64,
    overhead: usize,
}

impl Batch {
    fn takes(&self, file: &SnapshotFile) -> bool {
        self.files < MAX_BATCH_FILES
            && self.bytes + file.size <= MAX_BATCH_BYTES
            && self.overhead + overhead(file) <= MAX_OVERHEAD
    }

    fn add(&mut self, file: &SnapshotFile) {
        self.files += 1;
        self.bytes += file.size;
        self.overhead += overhead(file);
    }
}

fn overhead(file: &SnapshotFile) -> usize {
    file.path.as_str().len() + FILE_OVERHEAD
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use caffeine_contract::table::{BULK_FILES, MAX_BATCH_BYTES};
    use caffeine_model::{FileVersionId, Lane, Oid, RepoPath, RepositoryId};
    use caffeine_store::cloner::SnapshotFile;

    use super::{MAX_BATCH_FILES, cut};

    fn files(sizes: impl IntoIterator<Item = u64>) -> Vec<SnapshotFile> {
        let repository = RepositoryId::generate();
        let oid = Oid::from_bytes(&[7; 20]).unwrap();
        sizes
            .into_iter()
            .enumerate()
            .map(|(number, size)| {
                let path = RepoPath::parse(format!("{number:05}").as_bytes()).unwrap();
                let version = FileVersionId::derive(repository, &path, oid);
                SnapshotFile { path, version, oid, mode: 0o100_644, size, batch: None, skip_reason: None }
            })
            .collect()
    }

    /// Checks which batch each file gets.
    fn check(sizes: &[u64], expected: &[u32]) {
        let mut files = files(sizes.iter().copied());
        let totals = cut(&mut files, &HashSet::new());
        let batches: Vec<u32> = files.iter().filter_map(|file| file.batch).collect();
        assert_eq!(batches, expected);
        assert_eq!(totals.batches, expected.last().map_or(0, |last| last + 1));
        assert_eq!(totals.bytes, sizes.iter().sum::<u64>());
    }

    #[test]
    fn by_size() {
        let max = MAX_BATCH_BYTES;
        check(&[], &[]);
        check(&[0], &[0]);
        check(&[max], &[0]);
        check(&[max, 0, 1], &[0, 0, 1]);
        check(&[max / 2, max / 2, 1, max], &[0, 0, 1, 2]);
        check(&[1, max, 1], &[0, 1, 2]);
    }

    #[test]
    fn by_number_of_files() {
        let mut many = files(std::iter::repeat_n(1, MAX_BATCH_FILES + 1));
        assert_eq!(cut(&mut many, &HashSet::new()).batches, 2);
    }

    #[test]
    fn known_and_skipped_stay() {
        let mut files = files([1, 2, 3]);
        files[0].skip_reason = Some("symlink");
        let known: HashSet<FileVersionId> = [files[0].version, files[1].version].into();
        let totals = cut(&mut files, &known);
        assert_eq!((totals.files, totals.skipped, totals.known, totals.batches), (3, 1, 1, 1));
        assert_eq!(files.iter().map(|file| file.batch).collect::<Vec<_>>(), [None, None, Some(0)]);
    }

    #[test]
    fn lanes() {
        for (count, lane) in [(BULK_FILES - 1, Lane::Interactive), (BULK_FILES, Lane::Bulk)] {
            assert_eq!(cut(&mut files(std::iter::repeat_n(1, count)), &HashSet::new()).lane, lane);
        }
    }
}
