//! Signed claims in their compact form (RFC 7515): three parts of base64url. Nothing here trusts what a header says: the
//! caller knows which algorithms it takes and where its keys are.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Longer ones are refused unread.
const MAX_LENGTH: usize = 16 * 1024;

/// The protected header.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Header {
    /// The algorithm that the signer claims.
    pub(crate) alg: String,
    /// Which key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kid: Option<String>,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) typ: Option<String>,
    /// What a reader must understand. We understand nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) crit: Option<serde_json::Value>,
}

/// A text in its parts; its signature has not been checked.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    /// The header.
    pub(crate) header: Header,
    /// What is signed.
    pub(crate) signed: &'a [u8],
    /// The signature.
    pub(crate) signature: Vec<u8>,
    payload: Vec<u8>,
}

impl Parts<'_> {
    /// The claims, for whoever has checked the signature.
    pub(crate) fn claims<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.payload).ok()
    }
}

/// Takes a text apart; `None` if it has another form or asks for something that we do not know.
pub(crate) fn split(text: &str) -> Option<Parts<'_>> {
    if text.len() > MAX_LENGTH {
        return None;
    }
    let (signed, signature) = text.rsplit_once('.')?;
    let (header, payload) = signed.split_once('.')?;
    if payload.contains('.') {
        return None;
    }
    let header: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
    if header.crit.is_some() {
        return None;
    }
    Some(Parts {
        header,
        signed: signed.as_bytes(),
        signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
        payload: URL_SAFE_NO_PAD.decode(payload).ok()?,
    })
}

/// Signs claims.
pub(crate) fn sign(
    header: &Header,
    claims: &impl Serialize,
    signer: impl FnOnce(&[u8]) -> Vec<u8>,
) -> Result<String, serde_json::Error> {
    let header = URL_SAFE_NO_PAD.encode(serde_json::to_vec(header)?);
    let payload = URL_SAFE_NO_PAD.encode(serde_json::to_vec(claims)?);
    let signed = format!("{header}.{payload}");
    let signature = URL_SAFE_NO_PAD.encode(signer(signed.as_bytes()));
    Ok(format!("{signed}.{signature}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Header, sign, split};

    fn header() -> Header {
        Header { alg: "none".to_owned(), kid: None, typ: None, crit: None }
    }

    #[test]
    fn round_trip() {
        let text = sign(&header(), &json!({ "a": 1 }), |_| vec![1, 2, 3]).unwrap();
        let parts = split(&text).unwrap();
        assert_eq!(parts.signature, [1, 2, 3]);
        assert_eq!(parts.claims::<Value>(), Some(json!({ "a": 1 })));
        assert!(text.as_bytes().starts_with(parts.signed));
    }

    #[test]
    fn other_texts_are_refused() {
        let text = sign(&header(), &json!({}), |_| vec![1]).unwrap();
        let crit = Header { crit: Some(json!(["exp"])), ..header() };
        let crit = sign(&crit, &json!({}), |_| vec![1]).unwrap();
        for text in ["", ".", "..", "a.b.c", &format!("{text}=")[..], &format!("{text}.x"), &crit, &"a".repeat(20_000)]
        {
            assert!(split(text).is_none(), "{text}");
        }
    }
}
