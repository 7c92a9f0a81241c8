//! Credentials of git hosts, sealed to the cloner.
//!
//! Purpose: the gateway takes a credential from a person and stores it; only the cloner can read it. So the gateway has
//! a public key and the cloner the private one, and what lies in the database is a box between them (HPKE, RFC 9180:
//! X25519, HKDF-SHA256, ChaCha20-Poly1305).
//!
//! Non-goals: no storage, no transport; a box never travels in a message. No signature either: whoever can write the
//! table can put *another* credential there, but cannot read one or point one at another host.
//!
//! Invariants:
//! - A box opens only together with what it was sealed for ([`Binding`]): workspace, credential, kind and host. A row
//!   that was copied to another workspace, or whose host was changed, stays closed.
//! - Nothing here shows a secret: no `Debug`, no error text; memory is wiped when a value is dropped.
//!
//! To add a kind of credential: a variant of [`Secret`] and a word in [`SecretKind`].

mod boxes;
mod keys;
mod secret;

pub use boxes::{Binding, OpenError, open, seal};
pub use keys::{KeyError, PrivateKey, PublicKey};
pub use secret::{Secret, SecretKind};
