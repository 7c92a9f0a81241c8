//! Keeps the cache of mirrors below a size: the one that was not used for the longest time goes first.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A mirror on the disk.
struct Cached {
    folder: PathBuf,
    lock: PathBuf,
    used: SystemTime,
    bytes: u64,
}

/// Removes mirrors until all together have at most this many bytes. One that somebody uses stays.
///
/// # Errors
/// If the disk refuses.
pub(crate) fn evict(data_dir: &Path, max_bytes: u64) -> io::Result<usize> {
    let mut cached = cached(&data_dir.join("mirrors"))?;
    let mut total: u64 = cached.iter().map(|mirror| mirror.bytes).sum();
    cached.sort_by_key(|mirror| mirror.used);
    let mut evicted = 0;
    for mirror in cached {
        if total <= max_bytes {
            break;
        }
        let Ok(lock) = File::open(&mirror.lock) else { continue };
        // Held until it is gone.
        if lock.try_lock().is_err() {
            continue;
        }
        std::fs::remove_dir_all(&mirror.folder)?;
        total -= mirror.bytes;
        evicted += 1;
    }
    Ok(evicted)
}

/// Notes that a mirror is used now: whoever takes the lock calls this.
pub(super) fn touch(lock: &File) -> io::Result<()> {
    lock.set_modified(SystemTime::now())
}

fn cached(mirrors: &Path) -> io::Result<Vec<Cached>> {
    let mut cached = Vec::new();
    for entry in std::fs::read_dir(mirrors)? {
        let folder = entry?.path();
        if !folder.is_dir() {
            continue;
        }
        let lock = folder.with_extension("lock");
        let used = std::fs::metadata(&lock).and_then(|lock| lock.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
        cached.push(Cached { bytes: size(&folder), folder, lock, used });
    }
    Ok(cached)
}

/// Bytes of all files below a folder. What vanishes meanwhile counts nothing.
fn size(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => size(&entry.path()),
            Ok(found) => found.len(),
            Err(_) => 0,
        })
        .sum()
}
