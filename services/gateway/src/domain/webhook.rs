//! Hooks of git hosts: their secrets, their signatures, and what a delivery says.
//!
//! A signature is checked over the raw bytes, in constant time, before anything is parsed. What is parsed afterwards only
//! says that something was pushed and where; nothing of it is ever fetched.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use caffeine_model::WebhookId;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretBox};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// A delivery that was signed longer ago, or is from the future, is refused.
const WINDOW_SECONDS: i64 = 5 * 60;
/// How GitLab's signing tokens begin, as the Standard Webhooks specification says.
const SIGNING_PREFIX: &str = "whsec_";
/// The shortest key of an installation, in bytes.
const MIN_KEY: usize = 32;
/// The longest delivery id that is kept; a longer one is hashed.
const MAX_DELIVERY: usize = 100;

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Provider {
    GitHub,
    GitLab,
    /// And Forgejo, which signs alike.
    Gitea,
}

impl Provider {
    pub(crate) const ALL: [Self; 3] = [Self::GitHub, Self::GitLab, Self::Gitea];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
            Self::Gitea => "gitea",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.as_str() == word)
    }
}

/// What the secrets of an installation's hooks are made from. No hook's secret is stored anywhere.
pub(crate) struct WebhookKey(SecretBox<Vec<u8>>);

/// The key could be guessed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key must have at least {MIN_KEY} bytes; `caffeine up` makes one")]
pub(crate) struct WeakKey;

impl WebhookKey {
    /// Takes the text of the settings.
    ///
    /// # Errors
    /// If it could be guessed.
    pub(crate) fn new(text: &str) -> Result<Self, WeakKey> {
        let key = text.trim().as_bytes();
        if key.len() < MIN_KEY { Err(WeakKey) } else { Ok(Self(SecretBox::new(Box::new(key.to_vec())))) }
    }

    /// The secret of a hook in a generation: 256 bits that say nothing of any other.
    pub(crate) fn secret(&self, provider: Provider, webhook: WebhookId, generation: u32) -> String {
        let mut mac = mac(self.0.expose_secret());
        mac.update(b"caffeine 2026 webhook secret");
        mac.update(webhook.as_uuid().as_bytes());
        mac.update(&generation.to_be_bytes());
        let bytes = mac.finalize().into_bytes();
        match provider {
            // Serves as its secret token and as its signing token.
            Provider::GitLab => format!("{SIGNING_PREFIX}{}", STANDARD.encode(bytes)),
            Provider::GitHub | Provider::Gitea => hex::encode(bytes),
        }
    }
}

/// A header of a delivery by its name in lower case.
pub(crate) type Header<'a> = &'a dyn Fn(&str) -> Option<&'a str>;

/// Whether one of the secrets signed a delivery. `now` is in seconds since 1970-01-01 UTC.
pub(crate) fn is_signed(provider: Provider, secrets: &[String], header: Header<'_>, body: &[u8], now: i64) -> bool {
    // All of them, so that the time says nothing about which one fits.
    secrets.iter().fold(false, |signed, secret| signed | is_signed_by(provider, secret, header, body, now))
}

fn is_signed_by(provider: Provider, secret: &str, header: Header<'_>, body: &[u8], now: i64) -> bool {
    match provider {
        Provider::GitHub => header("x-hub-signature-256")
            .and_then(|text| text.strip_prefix("sha256="))
            .is_some_and(|text| is_hex_mac(secret, text, body)),
        Provider::Gitea => header("x-gitea-signature")
            .or_else(|| header("x-forgejo-signature"))
            .is_some_and(|text| is_hex_mac(secret, text, body)),
        // A sender that signs is held to it: the plain token could have been read by anybody on the way.
        Provider::GitLab if header("webhook-signature").is_some() => is_standard(secret, header, body, now),
        Provider::GitLab => {
            header("x-gitlab-token").is_some_and(|token| token.as_bytes().ct_eq(secret.as_bytes()).into())
        }
    }
}

fn is_hex_mac(secret: &str, text: &str, body: &[u8]) -> bool {
    let mut given = [0_u8; 32];
    if hex::decode_to_slice(text, &mut given).is_err() {
        return false;
    }
    let mut mac = mac(secret.as_bytes());
    mac.update(body);
    mac.verify_slice(&given).is_ok()
}

/// Standard Webhooks: `v1,<base64>` of `id.timestamp.body`, one or several with spaces between them.
fn is_standard(secret: &str, header: Header<'_>, body: &[u8], now: i64) -> bool {
    let named = (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
    let (Some(id), Some(timestamp), Some(signatures)) = named else { return false };
    let is_recent = timestamp.parse::<i64>().is_ok_and(|at| now.abs_diff(at) <= WINDOW_SECONDS.unsigned_abs());
    // The specification decodes the token; a sender that takes it as it is has the same secret.
    let decoded = STANDARD.decode(secret.trim_start_matches(SIGNING_PREFIX)).unwrap_or_default();
    let mut fits = false;
    for key in [decoded.as_slice(), secret.as_bytes()] {
        let mut mac = mac(key);
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        let expected = mac.finalize().into_bytes();
        for signature in signatures.split(' ').take(10).filter_map(|text| text.strip_prefix("v1,")) {
            let given = STANDARD.decode(signature).unwrap_or_default();
            fits |= bool::from(given.as_slice().ct_eq(expected.as_slice()));
        }
    }
    is_recent && fits
}

fn mac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

/// What tells a delivery apart from others of its hook: the sender's id, and of hosts that sign the body and not the id,
/// the body. A GitLab that only shows its token signs neither, and the same push may come again: a branch that was moved
/// back and forth has the same body each time.
pub(crate) fn delivery_keys(provider: Provider, header: Header<'_>, body: &[u8]) -> Vec<String> {
    let id = match provider {
        Provider::GitHub => header("x-github-delivery"),
        Provider::Gitea => header("x-gitea-delivery").or_else(|| header("x-forgejo-delivery")),
        Provider::GitLab => header("webhook-id").or_else(|| header("x-gitlab-event-uuid")),
    };
    let short = |id: &str| {
        let is_short = id.len() <= MAX_DELIVERY && id.bytes().all(|byte| byte.is_ascii_graphic());
        if is_short { format!("id:{id}") } else { format!("id-sha256:{}", hex::encode(Sha256::digest(id))) }
    };
    let by_body =
        (provider != Provider::GitLab || id.is_none()).then(|| format!("sha256:{}", hex::encode(Sha256::digest(body))));
    id.filter(|id| !id.is_empty()).map(short).into_iter().chain(by_body).collect()
}

/// What a delivery says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// Commits came to a branch or tag.
    Push(Push),
    /// Something that changes nothing here: a test, another event, a branch that is gone.
    Other,
    /// It cannot be read.
    Malformed,
}

/// Commits that came to a branch or tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Push {
    /// `refs/heads/…` or `refs/tags/…`.
    pub(crate) reference: String,
    /// The branch that the remote's HEAD is, if the host says so.
    pub(crate) default_branch: Option<String>,
}

impl Push {
    /// Whether a repository's ref, as it was asked for, is what was pushed to. An empty one is the remote's HEAD.
    pub(crate) fn moves(&self, reference: &str) -> bool {
        let pushed = self.reference.as_str();
        if reference.is_empty() {
            let head = self.default_branch.as_deref().map(|branch| format!("refs/heads/{branch}"));
            return head.is_none_or(|head| head == pushed);
        }
        let short = pushed.strip_prefix("refs/heads/").or_else(|| pushed.strip_prefix("refs/tags/"));
        reference == pushed || Some(reference) == short
    }
}

/// The few fields that are read. The three hosts call them alike, but for where the default branch stands.
#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "ref")]
    reference: Option<String>,
    after: Option<String>,
    repository: Option<Named>,
    project: Option<Named>,
}

#[derive(Deserialize)]
struct Named {
    default_branch: Option<String>,
}

/// Reads a delivery whose signature was good.
pub(crate) fn read(provider: Provider, header: Header<'_>, body: &[u8]) -> Delivery {
    let event = match provider {
        Provider::GitHub => header("x-github-event"),
        Provider::Gitea => header("x-gitea-event").or_else(|| header("x-forgejo-event")),
        Provider::GitLab => header("x-gitlab-event"),
    };
    if !matches!(event, Some("push" | "Push Hook" | "Tag Push Hook")) {
        return Delivery::Other;
    }
    let Ok(payload) = serde_json::from_slice::<Payload>(body) else { return Delivery::Malformed };
    let Some(reference) = payload.reference.filter(|text| text.starts_with("refs/")) else {
        return Delivery::Malformed;
    };
    let is_gone = payload.after.is_some_and(|oid| !oid.is_empty() && oid.bytes().all(|byte| byte == b'0'));
    if is_gone {
        return Delivery::Other;
    }
    let named = [payload.project, payload.repository].into_iter().flatten();
    let default_branch = named.filter_map(|named| named.default_branch).find(|branch| !branch.is_empty());
    Delivery::Push(Push { reference, default_branch })
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
mod tests;
