//! From a request to a mirror that has what the run needs: address, redirects, fetch, listing, and a second try when
//! the mirror turns out to be damaged.

use std::sync::Arc;

use caffeine_contract::table::MAX_BATCH_BYTES;
use caffeine_model::{Oid, WorkspaceId};
use tokio_util::sync::CancellationToken;

use crate::mirror::{Fetched, Guard, ListLimits, Listing, Mirror, Want, keep_only};
use crate::source::{Address, Answer, HostPort, Reach, look};
use crate::{CloneError, ClonerConfig};

/// Fetches repositories.
#[derive(Debug, Clone)]
pub struct Fetcher {
    config: Arc<ClonerConfig>,
    reach: Reach,
}

/// A commit in a mirror.
#[derive(Debug)]
pub struct Obtained {
    /// Where its files are; nobody else uses it while this lives.
    pub mirror: Arc<Mirror>,
    /// What it contains.
    pub listing: Listing,
    /// The full name of the ref, or the commit id if that was asked for.
    pub git_ref: String,
    /// Bytes received from the host.
    pub bytes: u64,
}

impl Fetcher {
    /// Checks the configuration.
    ///
    /// # Errors
    /// If a host of `allow_hosts` is not `host:port`.
    pub fn new(config: ClonerConfig) -> Result<Self, String> {
        // The HTTP clients need a provider of cryptography; whoever installed one first has the word.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let allowed: Result<Vec<HostPort>, String> =
            config.allow_hosts.iter().map(|text| HostPort::parse(text)).collect();
        Ok(Self { reach: Reach::new(allowed?), config: Arc::new(config) })
    }

    /// Checks whether git answers at an address, and asks for the default branch.
    ///
    /// # Errors
    /// A sentence for a person.
    pub async fn probe(&self, address: &str) -> Result<Option<String>, CloneError> {
        Ok(look(&self.reach, &Address::parse(address)?, true).await?.default_ref)
    }

    /// Fetches a branch, tag or commit and lists it. `reference` is empty for the default branch.
    ///
    /// # Errors
    /// A sentence for a person, or one of the other classes of [`CloneError`].
    pub async fn obtain(
        &self,
        workspace: WorkspaceId,
        address: &str,
        reference: &str,
        cancelled: &CancellationToken,
    ) -> Result<Obtained, CloneError> {
        let address = Address::parse(address)?;
        let want = Want::parse(reference)?;
        let mirror = self.take(workspace, &address).await?;
        let first = self.fetch_and_list(&mirror, &address, &want, cancelled).await;
        match first {
            // Objects that are missing here may be there: believe the host only after a fresh fetch.
            Ok(obtained) if obtained.listing.unreadable() == 0 => Ok(obtained),
            Ok(_) | Err(CloneError::Damaged { .. }) => {
                discard(&mirror).await?;
                self.fetch_and_list(&mirror, &address, &want, cancelled).await
            }
            Err(error) => Err(error),
        }
    }

    /// Makes sure that the mirror has a commit that was pinned before; fetches it by its id if not, from nothing if
    /// `anew`.
    ///
    /// # Errors
    /// As [`Fetcher::obtain`]; refused as `commit_gone` if the host does not give it any more.
    pub async fn ensure(
        &self,
        workspace: WorkspaceId,
        address: &str,
        commit: Oid,
        anew: bool,
        cancelled: &CancellationToken,
    ) -> Result<Arc<Mirror>, CloneError> {
        let address = Address::parse(address)?;
        let mirror = self.take(workspace, &address).await?;
        if anew {
            discard(&mirror).await?;
        }
        let looked_at = Arc::clone(&mirror);
        if blocking(move || Ok(looked_at.has_commit(commit))).await? {
            return Ok(mirror);
        }
        discard(&mirror).await?;
        self.fetch(&mirror, &address, &Want::Commit(commit), cancelled).await?;
        Ok(mirror)
    }

    /// Removes every mirror but those of these addresses, and says how many of the others stay because a job uses them.
    ///
    /// # Errors
    /// [`CloneError::Damaged`] if the disk refuses.
    pub async fn keep_only(&self, addresses: Vec<(WorkspaceId, String)>) -> Result<usize, CloneError> {
        let config = Arc::clone(&self.config);
        blocking(move || keep_only(&config.data_dir, &addresses)).await
    }

    async fn take(&self, workspace: WorkspaceId, address: &Address) -> Result<Arc<Mirror>, CloneError> {
        let (config, address) = (Arc::clone(&self.config), address.clone());
        blocking(move || Mirror::take(&config.data_dir, workspace, &address, config.max_object_bytes).map(Arc::new))
            .await
    }

    /// Follows the redirects, then fetches. Returns what came and how many bytes it took.
    async fn fetch(
        &self,
        mirror: &Arc<Mirror>,
        address: &Address,
        want: &Want,
        cancelled: &CancellationToken,
    ) -> Result<(Fetched, u64), CloneError> {
        let Answer { address: end, .. } =
            cancelled.run_until_cancelled(look(&self.reach, address, false)).await.ok_or(CloneError::Stopped)??;
        let guard = Arc::new(Guard::new(self.config.max_pack_bytes, self.config.fetch_time()));
        let (mirror, want, reach) = (Arc::clone(mirror), want.clone(), self.reach.clone());
        let fetched = guard.run(cancelled, move |guard| mirror.fetch(&end, &want, &reach, guard)).await?;
        Ok((fetched, guard.bytes()))
    }

    async fn fetch_and_list(
        &self,
        mirror: &Arc<Mirror>,
        address: &Address,
        want: &Want,
        cancelled: &CancellationToken,
    ) -> Result<Obtained, CloneError> {
        let (fetched, bytes) = self.fetch(mirror, address, want, cancelled).await?;
        let (listing, git_ref) = match fetched {
            Fetched::Empty { git_ref } => (Listing::empty(), git_ref),
            Fetched::Object { id, git_ref } => {
                let limits = ListLimits {
                    max_files: self.config.max_files,
                    max_depth: self.config.max_depth,
                    max_file_bytes: MAX_BATCH_BYTES,
                };
                let mirror = Arc::clone(mirror);
                (blocking(move || mirror.list(id, limits)).await?, git_ref)
            }
        };
        Ok(Obtained { mirror: Arc::clone(mirror), listing, git_ref, bytes })
    }
}

async fn discard(mirror: &Arc<Mirror>) -> Result<(), CloneError> {
    let mirror = Arc::clone(mirror);
    blocking(move || mirror.discard()).await
}

/// Runs work that waits for the disk on a thread that may wait.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CloneError> + Send + 'static,
) -> Result<T, CloneError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| CloneError::Damaged { problem: format!("the reader ended: {error}") })?
}
