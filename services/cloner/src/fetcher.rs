//! From a request to a mirror that has what the run needs: address, redirects, fetch, listing, and a second try when
//! the mirror turns out to be damaged.

use std::sync::Arc;

use caffeine_contract::table::MAX_BATCH_BYTES;
use caffeine_model::{Oid, WorkspaceId};
use tokio_util::sync::CancellationToken;

use crate::mirror::{
    Endpoint, Fetched, Guard, KeyFolder, ListLimits, Listing, Mirror, Want, evict, keep_only, scratch,
};
use crate::source::{Answer, Credential, HostPort, Location, Names, Reach, Route, look};
use crate::{CloneError, ClonerConfig};

/// Fetches repositories.
#[derive(Debug, Clone)]
pub struct Fetcher {
    config: Arc<ClonerConfig>,
    reach: Reach,
}

/// A repository as it was asked for.
#[derive(Debug, Clone)]
pub struct Source {
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// Its address, not checked yet.
    pub address: String,
    /// What its host asks for.
    pub credential: Option<Arc<Credential>>,
}

impl Source {
    /// One that anybody may read.
    #[must_use]
    pub fn open(workspace: WorkspaceId, address: impl Into<String>) -> Self {
        Self { workspace, address: address.into(), credential: None }
    }

    /// The address, if it and the credential go together.
    fn location(&self) -> Result<Location, CloneError> {
        let location = Location::parse(&self.address)?;
        Credential::check(self.credential.as_deref(), &location)?;
        Ok(location)
    }

    /// A host may send back what it was sent: no error gets past here with the secret in it.
    fn scrub(&self, error: CloneError) -> CloneError {
        match &self.credential {
            Some(credential) => error.map_text(|text| credential.scrub(text)),
            None => error,
        }
    }
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

    /// The same with another resolver of names.
    #[must_use]
    pub fn with_names(self, names: Arc<dyn Names>) -> Self {
        Self { reach: self.reach.with_names(names), ..self }
    }

    /// Removes what a killed process left on the disk and must not stay there.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn clean(&self) -> std::io::Result<()> {
        KeyFolder::clean(&scratch(&self.config.data_dir))
    }

    /// Checks whether git answers at an address, and asks for the default branch. Over ssh it looks by fetching it.
    ///
    /// # Errors
    /// A sentence for a person.
    pub async fn probe(&self, source: &Source, cancelled: &CancellationToken) -> Result<Option<String>, CloneError> {
        self.look_at(source, cancelled).await.map_err(|error| source.scrub(error))
    }

    /// Fetches a branch, tag or commit and lists it. `reference` is empty for the default branch.
    ///
    /// # Errors
    /// A sentence for a person, or one of the other classes of [`CloneError`].
    pub async fn obtain(
        &self,
        source: &Source,
        reference: &str,
        cancelled: &CancellationToken,
    ) -> Result<Obtained, CloneError> {
        self.obtain_from(source, reference, cancelled).await.map_err(|error| source.scrub(error))
    }

    /// Makes sure that the mirror has a commit that was pinned before; fetches it by its id if not, from nothing if
    /// `anew`.
    ///
    /// # Errors
    /// As [`Fetcher::obtain`]; refused as `commit_gone` if the host does not give it any more.
    pub async fn ensure(
        &self,
        source: &Source,
        commit: Oid,
        anew: bool,
        cancelled: &CancellationToken,
    ) -> Result<Arc<Mirror>, CloneError> {
        self.ensure_from(source, commit, anew, cancelled).await.map_err(|error| source.scrub(error))
    }

    async fn look_at(&self, source: &Source, cancelled: &CancellationToken) -> Result<Option<String>, CloneError> {
        match source.location()? {
            Location::Web(address) => Ok(look(&self.route(source), &address, true).await?.default_ref),
            Location::Ssh(_) => Ok(Some(self.obtain_from(source, "", cancelled).await?.git_ref)),
        }
    }

    async fn obtain_from(
        &self,
        source: &Source,
        reference: &str,
        cancelled: &CancellationToken,
    ) -> Result<Obtained, CloneError> {
        let location = source.location()?;
        let want = Want::parse(reference)?;
        let mirror = self.take(source, &location).await?;
        let route = self.route(source);
        let first = self.fetch_and_list(&mirror, &location, &want, &route, cancelled).await;
        match first {
            // Objects that are missing here may be there: believe the host only after a fresh fetch.
            Ok(obtained) if obtained.listing.unreadable() == 0 => Ok(obtained),
            Ok(_) | Err(CloneError::Damaged { .. }) => {
                discard(&mirror).await?;
                self.fetch_and_list(&mirror, &location, &want, &route, cancelled).await
            }
            Err(error) => Err(error),
        }
    }

    async fn ensure_from(
        &self,
        source: &Source,
        commit: Oid,
        anew: bool,
        cancelled: &CancellationToken,
    ) -> Result<Arc<Mirror>, CloneError> {
        let location = source.location()?;
        let mirror = self.take(source, &location).await?;
        if anew {
            discard(&mirror).await?;
        }
        let looked_at = Arc::clone(&mirror);
        if blocking(move || Ok(looked_at.has_commit(commit))).await? {
            return Ok(mirror);
        }
        discard(&mirror).await?;
        self.fetch(&mirror, &location, &Want::Commit(commit), &self.route(source), cancelled).await?;
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

    fn route(&self, source: &Source) -> Route {
        self.reach.route(source.credential.clone(), self.config.fetch_time())
    }

    async fn take(&self, source: &Source, location: &Location) -> Result<Arc<Mirror>, CloneError> {
        let (config, location, workspace) = (Arc::clone(&self.config), location.clone(), source.workspace);
        blocking(move || Mirror::take(&config.data_dir, workspace, &location, config.max_object_bytes).map(Arc::new))
            .await
    }

    /// Follows the redirects, or resolves the name, then fetches. Returns what came and how many bytes it took.
    async fn fetch(
        &self,
        mirror: &Arc<Mirror>,
        location: &Location,
        want: &Want,
        route: &Route,
        cancelled: &CancellationToken,
    ) -> Result<(Fetched, u64), CloneError> {
        let endpoint = async {
            Ok(match location {
                Location::Web(address) => {
                    let Answer { address, .. } = look(route, address, false).await?;
                    Endpoint::Web(address)
                }
                Location::Ssh(address) => Endpoint::Ssh(address.clone(), route.ssh_address(address).await?),
            })
        };
        let endpoint = cancelled.run_until_cancelled(endpoint).await.ok_or(CloneError::Stopped)??;
        let guard = Arc::new(Guard::new(self.config.max_pack_bytes, self.config.fetch_time()));
        let (mirror, want, route) = (Arc::clone(mirror), want.clone(), route.clone());
        let fetched = guard.run(cancelled, move |guard| mirror.fetch(&endpoint, &want, &route, guard)).await?;
        self.make_room().await?;
        Ok((fetched, guard.bytes()))
    }

    /// The mirror of this job is in use and stays.
    async fn make_room(&self) -> Result<(), CloneError> {
        let config = Arc::clone(&self.config);
        blocking(move || {
            match evict(&config.data_dir, config.max_mirror_bytes) {
                Ok(0) => {}
                Ok(evicted) => tracing::info!(evicted, "mirrors removed to make room"),
                // The fetch itself has succeeded.
                Err(error) => tracing::warn!(error = %error, "mirrors could not be removed"),
            }
            Ok(())
        })
        .await
    }

    async fn fetch_and_list(
        &self,
        mirror: &Arc<Mirror>,
        location: &Location,
        want: &Want,
        route: &Route,
        cancelled: &CancellationToken,
    ) -> Result<Obtained, CloneError> {
        let (fetched, bytes) = self.fetch(mirror, location, want, route, cancelled).await?;
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
