//! The first start: somebody must be able to sign in.

use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use caffeine_store::gateway::NewToken;
use caffeine_store::{Store, StoreError};
use chrono::{DateTime, Days, Utc};
use secrecy::SecretString;

use crate::domain::token;

/// How long an administrator's token is valid after the last start.
const VALID_DAYS: u64 = 365;

/// A token that was just made: to be shown once, because only its hash is stored.
#[derive(Debug, Clone)]
pub struct AdminToken(pub SecretString);

/// Why there is no administrator.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// The file holds something that could be guessed.
    #[error("{} must hold `cc_` and 43 letters, digits, `-` or `_`: remove it to get a new one", .0.display())]
    Weak(PathBuf),
    /// The file cannot be read or written.
    #[error("{action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// No random bytes.
    #[error("read random bytes")]
    Random(#[from] getrandom::Error),
    /// The database refuses.
    #[error("store the administrator")]
    Store(#[from] StoreError),
}

/// Makes sure that there is a workspace `default` with an administrator who has a valid token: the one in the file at
/// `path`, which is written if it is missing, or, without a path, any. Returns the token if it was made and is in no
/// file.
///
/// # Errors
/// See [`BootstrapError`].
pub async fn ensure_admin_token(store: &Store, path: Option<&Path>) -> Result<Option<AdminToken>, BootstrapError> {
    let expires_at = Utc::now().checked_add_days(Days::new(VALID_DAYS)).unwrap_or(DateTime::<Utc>::MAX_UTC);
    let valid_until = |text: &str| NewToken { secret_hash: token::hash(text), expires_at };
    let Some(path) = path else {
        let text = token::generate()?;
        let made = store.gateway_bootstrap(&valid_until(&text), false).await?;
        return Ok(made.then(|| AdminToken(SecretString::from(text))));
    };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text.trim().to_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let text = token::generate()?;
            // Before the database: a crash in between leaves a file whose token the next start makes valid.
            write_private(path, &text)?;
            text
        }
        Err(source) => return Err(BootstrapError::File { action: "read", path: path.to_owned(), source }),
    };
    if !token::is_well_formed(&text) {
        return Err(BootstrapError::Weak(path.to_owned()));
    }
    store.gateway_bootstrap(&valid_until(&text), true).await?;
    Ok(None)
}

/// Writes a file that only its owner reads; it appears whole.
fn write_private(path: &Path, text: &str) -> Result<(), BootstrapError> {
    let failed = |source| BootstrapError::File { action: "write", path: path.to_owned(), source };
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&draft).map_err(failed)?;
    file.write_all(format!("{text}\n").as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&draft, path).map_err(failed)
}
