//! The first start: somebody must be able to sign in.

use caffeine_store::gateway::NewToken;
use caffeine_store::{Store, StoreError};
use chrono::{DateTime, Days, Utc};
use secrecy::{ExposeSecret, SecretString};

use crate::domain::token;
use crate::identity::keys;
pub use crate::identity::keys::KeyError as SessionKeyError;

/// How long an administrator's token is valid after the last start.
const VALID_DAYS: u64 = 365;

/// A token that was just made: to be shown once, because only its hash is stored.
#[derive(Debug, Clone)]
pub struct AdminToken(pub SecretString);

/// Why there is no administrator.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// The configured token could be guessed.
    #[error("`gateway.admin_token` must be `cc_` and 43 letters, digits, `-` or `_`")]
    Weak,
    /// No random bytes.
    #[error("read random bytes")]
    Random(#[source] getrandom::Error),
    /// The database refuses.
    #[error("store the administrator")]
    Store(#[from] StoreError),
}

/// A new token, for whoever keeps the administrator's token in a file.
///
/// # Errors
/// If the system has no random bytes.
pub fn generate_token() -> Result<String, BootstrapError> {
    token::generate().map_err(BootstrapError::Random)
}

/// A new key for sessions, for whoever keeps them in a file.
///
/// # Errors
/// If the system has no random bytes.
pub fn generate_session_key() -> Result<String, BootstrapError> {
    keys::generate().map_err(BootstrapError::Random)
}

/// Says what is wrong with the text of session keys.
///
/// # Errors
/// See [`SessionKeyError`].
pub fn check_session_keys(text: &str) -> Result<(), SessionKeyError> {
    keys::KeyRing::parse(text).map(drop)
}

/// Makes sure that there is a workspace `default` with an administrator who has a valid token: the `given` one, or
/// else any. Returns the token if this call made it up.
///
/// # Errors
/// See [`BootstrapError`].
pub async fn ensure_admin_token(
    store: &Store,
    given: Option<&SecretString>,
) -> Result<Option<AdminToken>, BootstrapError> {
    let expires_at = Utc::now().checked_add_days(Days::new(VALID_DAYS)).unwrap_or(DateTime::<Utc>::MAX_UTC);
    if let Some(secret) = given {
        let text = secret.expose_secret().trim();
        if !token::is_well_formed(text) {
            return Err(BootstrapError::Weak);
        }
        store.gateway_bootstrap(&NewToken { secret_hash: token::hash(text), expires_at }, true).await?;
        return Ok(None);
    }
    let text = generate_token()?;
    let made = store.gateway_bootstrap(&NewToken { secret_hash: token::hash(&text), expires_at }, false).await?;
    Ok(made.then(|| AdminToken(SecretString::from(text))))
}
