//! Reading the contents of files out of a mirror.

use caffeine_model::Oid;
use gix::objs::Kind;

use super::{Mirror, damaged};
use crate::CloneError;

/// The files of one mirror, which stays open. Threads share it.
pub struct Blobs {
    repository: gix::ThreadSafeRepository,
    max_bytes: u64,
}

/// Reads files on one thread. Blocking.
pub struct BlobReader {
    repository: gix::Repository,
    max_bytes: u64,
}

impl Mirror {
    /// Opens the mirror for reading files of at most this size.
    ///
    /// # Errors
    /// [`CloneError::Damaged`] if it cannot be opened.
    pub fn blobs(&self, max_bytes: u64) -> Result<Blobs, CloneError> {
        Ok(Blobs { repository: self.open()?.into_sync(), max_bytes })
    }
}

impl Blobs {
    /// A reader for this thread.
    #[must_use]
    pub fn reader(&self) -> BlobReader {
        BlobReader { repository: self.repository.to_thread_local(), max_bytes: self.max_bytes }
    }
}

impl BlobReader {
    /// The content of a file that was listed with this size.
    ///
    /// Every object was verified when its pack arrived and its header was read when the plan was made, so one that is
    /// missing or different now means that the disk is damaged, never that the repository is.
    ///
    /// # Errors
    /// [`CloneError::Damaged`].
    pub fn read(&self, oid: Oid, size: u64) -> Result<Vec<u8>, CloneError> {
        let id = gix::ObjectId::from_bytes_or_panic(oid.as_bytes());
        let header = self.repository.find_header(id).map_err(|error| damaged("read the header of a file", &error))?;
        if header.kind() != Kind::Blob || header.size() != size || size > self.max_bytes {
            return Err(CloneError::Damaged { problem: format!("the file {oid} is not what was listed") });
        }
        let mut object = self.repository.find_object(id).map_err(|error| damaged("read a file", &error))?;
        Ok(std::mem::take(&mut object.data))
    }
}
