//! Fetching one commit into a mirror.

use std::cell::RefCell;
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use caffeine_model::{Oid, SshAddress};
use gix::bstr::BString;
use gix::credentials::helper::Action;
use gix::credentials::protocol::Outcome;
use gix::protocol::handshake::Ref;
use gix::protocol::transport::client::blocking_io::Transport;
use gix::remote::{Connection, Direction, fetch::Shallow, fetch::Tags, ref_map};
use gix::sec::identity::Account;

use super::guard::Guard;
use super::{Mirror, chain, damaged, http, ssh};
use crate::CloneError;
use crate::source::{Address, Credential, Route, not_accepted};

/// Which commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    /// The default branch.
    Head,
    /// A branch or tag, by short or full name.
    Name(String),
    /// Exactly this one.
    Commit(Oid),
}

/// Where to fetch from, with everything settled that may be asked of names and hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// The end of all redirects.
    Web(Address),
    /// The address and the one number to connect to.
    Ssh(SshAddress, IpAddr),
}

/// What the host gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// There is no commit in the repository.
    Empty {
        /// The name of the branch that does not exist yet; `HEAD` if the host does not tell.
        git_ref: String,
    },
    /// The object is in the mirror, with everything below its tree. It may be an annotated tag.
    Object {
        /// Its id.
        id: Oid,
        /// The full name of the ref, or the id if that was asked for.
        git_ref: String,
    },
}

impl Want {
    /// What a request means: empty for the default branch, 40 hexadecimal digits for a commit, otherwise a name.
    ///
    /// # Errors
    /// If the text cannot be the name of a ref.
    pub fn parse(text: &str) -> Result<Self, CloneError> {
        if text.is_empty() || text == "HEAD" {
            return Ok(Self::Head);
        }
        if let Ok(oid) = text.parse() {
            return Ok(Self::Commit(oid));
        }
        let full = if text.starts_with("refs/") { text.to_owned() } else { format!("refs/heads/{text}") };
        match gix::validate::reference::name(full.as_str().into()) {
            Ok(_) if !text.starts_with('-') && text.len() <= 512 => Ok(Self::Name(text.to_owned())),
            _ => Err(CloneError::refused(
                "ref_malformed",
                "The ref is not the name of a branch or tag, and not a commit id of 40 digits: check it for a typing \
                 error",
            )),
        }
    }

    /// What to ask the host for, the preferred one first, each with a place of its own in the mirror.
    fn refspecs(&self) -> Vec<BString> {
        let specs = match self {
            Self::Head => vec!["+HEAD:refs/caffeine/head".to_owned()],
            Self::Name(name) if name.starts_with("refs/") => vec![format!("+{name}:refs/caffeine/name")],
            Self::Name(name) => {
                vec![format!("+refs/heads/{name}:refs/caffeine/branch"), format!("+refs/tags/{name}:refs/caffeine/tag")]
            }
            Self::Commit(oid) => vec![format!("+{oid}:refs/caffeine/commit")],
        };
        specs.into_iter().map(Into::into).collect()
    }
}

impl Mirror {
    /// Fetches what is wanted, without its history.
    ///
    /// # Errors
    /// A sentence for a person, or [`CloneError::Damaged`] if the mirror should be discarded.
    pub fn fetch(&self, endpoint: &Endpoint, want: &Want, route: &Route, guard: &Guard) -> Result<Fetched, CloneError> {
        let fresh = !self.exists();
        let repository = self.open()?;
        let fetch = Fetch {
            repository: &repository,
            scratch: &self.scratch,
            fresh,
            endpoint,
            want,
            route,
            guard,
            ssh: RefCell::new(None),
        };
        let fetched = fetch.want()?;
        if matches!((&fetched, want), (Fetched::Empty { .. }, Want::Head)) && fetch.has_branches()? {
            return Err(CloneError::refused(
                "ref_missing",
                "The default branch of the repository does not exist: name a branch that does",
            ));
        }
        Ok(fetched)
    }
}

/// The parts of one fetch.
struct Fetch<'a> {
    repository: &'a gix::Repository,
    /// For a deploy key while it is used.
    scratch: &'a Path,
    /// There was nothing in the mirror before.
    fresh: bool,
    endpoint: &'a Endpoint,
    want: &'a Want,
    route: &'a Route,
    guard: &'a Guard,
    /// The program that runs for the present connection.
    ssh: RefCell<Option<ssh::Ssh<'a>>>,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Web(address) => address.fmt(f),
            Self::Ssh(address, _) => address.fmt(f),
        }
    }
}

impl<'a> Fetch<'a> {
    fn want(&self) -> Result<Fetched, CloneError> {
        let remote = self.remote(self.want.refspecs())?;
        let mut connection = self.connect(&remote)?;
        // The host wants to know who we are, and does not like the answer.
        let unwelcome = Arc::new(AtomicBool::new(false));
        connection.set_credentials(self.sign_in(Arc::clone(&unwelcome)));
        let prepared = connection
            .prepare_fetch(gix::progress::Discard, ref_map::Options::default())
            .map_err(|error| self.explain(&error, unwelcome.load(Ordering::Relaxed)))?;
        let map = prepared.ref_map();
        let chosen = map.mappings.iter().find_map(|mapping| {
            let id = Oid::from_bytes(mapping.remote.as_id()?.as_bytes()).ok()?;
            let name = mapping.remote.as_target().or_else(|| mapping.remote.as_name());
            Some(Fetched::Object { id, git_ref: name.map_or_else(|| id.to_string(), ToString::to_string) })
        });
        let Some(chosen) = chosen else {
            let unborn = map.remote_refs.iter().find_map(|found| match found {
                Ref::Unborn { target, .. } => Some(target.to_string()),
                _ => None,
            });
            return self.nothing(unborn);
        };
        let depth_one = Shallow::DepthAtRemote(NonZeroU32::MIN);
        prepared
            .with_shallow(depth_one)
            .receive(gix::progress::Discard, &self.guard.interrupt)
            .map_err(|error| self.explain(&error, unwelcome.load(Ordering::Relaxed)))?;
        Ok(chosen)
    }

    /// Whether the host has any branch.
    fn has_branches(&self) -> Result<bool, CloneError> {
        let remote = self.remote(vec!["refs/heads/*:refs/caffeine/heads/*".into()])?;
        let (map, _) = self
            .connect(&remote)?
            .ref_map(gix::progress::Discard, ref_map::Options::default())
            .map_err(|error| self.explain(&error, false))?;
        Ok(map.mappings.iter().any(|mapping| mapping.remote.as_id().is_some()))
    }

    fn remote(&self, refspecs: Vec<BString>) -> Result<gix::Remote<'_>, CloneError> {
        let url = self.git_url()?;
        self.repository
            .remote_at_without_url_rewrite(url)
            .and_then(|remote| remote.with_fetch_tags(Tags::None).with_refspecs(refspecs, Direction::Fetch))
            .map_err(|error| damaged("prepare the fetch", &error))
    }

    /// Answers gix when the host asks who we are. Without an answer gix would ask on the terminal.
    fn sign_in(
        &self,
        unwelcome: Arc<AtomicBool>,
    ) -> impl FnMut(Action) -> Result<Option<Outcome>, gix::Error> + Send + 'static {
        let (route, endpoint) = (self.route.clone(), self.endpoint.clone());
        move |action| {
            let login = match &endpoint {
                Endpoint::Web(address) => route.credential().and_then(|credential| credential.login(address.url())),
                Endpoint::Ssh(..) => None,
            };
            match (action, login) {
                (Action::Get(context), Some(login)) => Ok(Some(Outcome {
                    identity: Account {
                        username: login.user.to_owned(),
                        password: login.token.to_owned(),
                        oauth_refresh_token: None,
                    },
                    next: context.into(),
                })),
                (Action::Store(_), _) => Ok(None),
                (Action::Get(_) | Action::Erase(_), _) => {
                    unwelcome.store(true, Ordering::Relaxed);
                    Ok(None)
                }
            }
        }
    }

    fn git_url(&self) -> Result<gix::Url, CloneError> {
        gix::url::parse(self.endpoint.to_string().as_str()).map_err(|_| {
            CloneError::refused("address_refused", "The address is malformed: check it for a typing error")
        })
    }

    /// A connection to the host, if it may be reached; nothing has been said yet.
    fn connect<'remote, 'repo>(
        &self,
        remote: &'remote gix::Remote<'repo>,
    ) -> Result<Connection<'remote, 'static, 'repo, Box<dyn Transport + 'a>>, CloneError> {
        match self.endpoint {
            Endpoint::Web(address) => {
                let url = address.url();
                self.route.check(url)?;
                let (transport, options) = http::transport(url, self.git_url()?, self.route, self.guard)?;
                let transport: Box<dyn Transport + 'a> = Box::new(transport);
                let mut connection = remote.to_connection_with_transport(transport);
                connection.set_transport_options(options);
                Ok(connection)
            }
            Endpoint::Ssh(address, ip) => {
                let key = self.route.credential().and_then(Credential::deploy_key).ok_or_else(|| {
                    CloneError::refused("needs_credentials", "Addresses over ssh are cloned with a deploy key only")
                })?;
                let (ssh, transport) = ssh::connect(address, *ip, key, self.scratch, self.guard)?;
                // One that ran before ends here.
                self.ssh.replace(Some(ssh));
                let transport: Box<dyn Transport + 'a> = Box::new(transport);
                Ok(remote.to_connection_with_transport(transport))
            }
        }
    }

    /// The host has nothing by that name.
    fn nothing(&self, unborn: Option<String>) -> Result<Fetched, CloneError> {
        match self.want {
            Want::Head => Ok(Fetched::Empty { git_ref: unborn.unwrap_or_else(|| "HEAD".to_owned()) }),
            Want::Name(name) => Err(CloneError::refused(
                "ref_missing",
                format!("There is no branch or tag `{name}` in the repository: check the name"),
            )),
            Want::Commit(oid) => Err(self.commit_gone(*oid)),
        }
    }

    fn commit_gone(&self, oid: Oid) -> CloneError {
        CloneError::refused(
            "commit_gone",
            format!("The commit {oid} is no longer available at {}: start a new run", self.endpoint),
        )
    }

    /// A sentence for what gix says. Its own words may repeat anything the host sent, so they are cut short.
    fn explain(&self, error: &gix::Error, unwelcome: bool) -> CloneError {
        let text = chain(error);
        let lower = text.to_lowercase();
        if unwelcome || lower.contains("http status 403") {
            if self.route.credential().is_some() {
                return not_accepted(self.endpoint);
            }
            return CloneError::refused(
                "needs_credentials",
                format!(
                    "{} does not exist or needs credentials: check the address, or use one that can be read without",
                    self.endpoint
                ),
            );
        }
        if ["object hashes", "object-format", "hash sized 64"].iter().any(|words| lower.contains(words)) {
            return CloneError::refused(
                "unsupported",
                "The repository uses SHA-256 object ids, which are not supported",
            );
        }
        if error.is_resource_exhausted() {
            return CloneError::refused(
                "object_too_large",
                "The repository has a file or folder that is too large: ask the operator to raise `max_object_bytes` \
                 of the cloner",
            );
        }
        if let Want::Commit(oid) = self.want
            && (lower.contains("not our ref") || lower.contains("unadvertised"))
        {
            return self.commit_gone(*oid);
        }
        if let Some(explained) = self.ssh.borrow_mut().as_mut().and_then(ssh::Ssh::explain) {
            return explained;
        }
        if !self.fresh && (error.is_not_found() || error.is_corrupted()) {
            return CloneError::Damaged { problem: text };
        }
        let short: String = text.chars().filter(|c| !c.is_control()).take(300).collect();
        CloneError::unreachable(format!(
            "The repository could not be fetched from {} ({short}): try again later; if `git clone --depth 1` fails \
             too, it is damaged on its host",
            self.endpoint
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::Want;

    #[test]
    fn refs() {
        let oid = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(Want::parse(""), Ok(Want::Head));
        assert_eq!(Want::parse(oid), Ok(Want::Commit(oid.parse().unwrap())));
        for name in ["main", "feature/größe", "v1.0", "refs/tags/v1", "0123456"] {
            assert_eq!(Want::parse(name), Ok(Want::Name(name.to_owned())));
        }
        for name in ["-x", "a b", "a..b", "a:b", "a*", "^a", "a\n", "/a", "a/", "a.lock", &"a".repeat(600)] {
            assert!(Want::parse(name).is_err(), "{name}");
        }
    }
}
