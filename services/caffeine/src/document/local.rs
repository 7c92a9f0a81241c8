//! A local repository travels like any other: over HTTP on loopback, for as long as this program runs.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context as _;
use caffeine_servers::git_http::{GitHttpOptions, GitHttpServer};
use serde::{Deserialize, Serialize};

/// What makes the address of a repository the same in the next call, so that known files are known again.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Address {
    port: u16,
    /// Other users of this machine cannot guess it.
    secret: String,
}

/// A served repository; it ends when dropped.
pub(crate) struct Served {
    /// Where it can be cloned from.
    pub(crate) url: String,
    /// `host:port`, which the cloner must be allowed to reach.
    pub(crate) host: String,
    _server: GitHttpServer,
}

/// Serves the repository at `path`, and nothing else.
pub(crate) async fn serve(path: &Path, data: &Path) -> anyhow::Result<Served> {
    let folder = data.join("served");
    let file = folder.join("address.json");
    let mut address: Address =
        std::fs::read(&file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    if address.secret.is_empty() {
        address.secret = uuid::Uuid::new_v4().simple().to_string();
    }
    let root = folder.join("root");
    let name = link(path, &root.join(&address.secret))?;
    let server = match start(&root, address.port).await {
        Err(_) if address.port != 0 => start(&root, 0).await,
        outcome => outcome,
    };
    let server = server.context("serve the repository on loopback")?;
    address.port = server.port();
    std::fs::write(&file, serde_json::to_vec(&address)?).with_context(|| format!("write {}", file.display()))?;
    Ok(Served {
        url: server.repo_url(&format!("{}/{name}", address.secret)),
        host: format!("127.0.0.1:{}", server.port()),
        _server: server,
    })
}

async fn start(root: &Path, port: u16) -> Result<GitHttpServer, caffeine_servers::ServerError> {
    GitHttpServer::start_with(GitHttpOptions { root: root.to_owned(), port, credentials: None }).await
}

/// Makes `folder` hold one link to the repository, under a name that an address can hold.
fn link(path: &Path, folder: &Path) -> anyhow::Result<String> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("empty {}", folder.display()));
        }
        _ => {}
    }
    std::fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    let own = path.file_name().unwrap_or_default().to_string_lossy();
    let tame: String =
        own.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect();
    let name = format!("{}.git", tame.trim_start_matches(['.', '-']).trim_end_matches(".git"));
    std::os::unix::fs::symlink(path, folder.join(&name)).context("link the repository")?;
    Ok(name)
}
