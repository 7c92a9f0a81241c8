//! Creating requests that may be sent again: `Idempotency-Key`.

use caffeine_store::gateway::Once;
use poem_openapi::param::Header;
use poem_openapi::types::ToJSON;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::ApiError;
use super::auth::Principal;

/// The longest key.
pub(crate) const MAX_KEY: usize = 255;

/// What a request is remembered by, if its sender named it: the sender, the key, and what was asked for.
///
/// # Errors
/// 400 if the key is none.
pub(crate) fn once(
    who: &Principal,
    key: &Header<Option<String>>,
    operation: &str,
    path: &[Uuid],
    body: &impl ToJSON,
) -> Result<Option<Once>, ApiError> {
    let Some(key) = &key.0 else { return Ok(None) };
    if !(1..=MAX_KEY).contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        let detail = format!("`Idempotency-Key` must be 1 to {MAX_KEY} printable characters without spaces.");
        return Err(ApiError::bad_request("bad_idempotency_key", detail));
    }
    let mut hash = Sha256::new();
    hash.update(operation);
    for id in path {
        hash.update(b"/");
        hash.update(id.as_bytes());
    }
    hash.update(b"\0");
    // As it was understood, so that white space and the order of fields do not matter.
    hash.update(body.to_json_string());
    Ok(Some(Once { user: who.user, key: key.clone(), request_hash: hash.finalize().into() }))
}
