//! The users' part of the broker's configuration.

use caffeine_contract::{Identity, Subjects};
use serde_json::{Value, json};

use crate::Nkey;

/// The broker's account that all users belong to. Monitoring and autoscaling ask by this name.
const ACCOUNT: &str = "CAFFEINE";

/// The value of `accounts` in a nats-server's configuration: one account with JetStream, in it one user per key, each
/// with the permissions that the contract gives it under `prefix`.
#[must_use]
pub fn accounts(prefix: &str, keys: &[(Identity, Nkey)]) -> Value {
    let subjects = Subjects::new(prefix);
    let users: Vec<Value> = keys.iter().map(|(identity, key)| user(&subjects, *identity, key)).collect();
    json!({ ACCOUNT: { "jetstream": "enabled", "users": users } })
}

fn user(subjects: &Subjects, identity: Identity, key: &Nkey) -> Value {
    let permissions = subjects.permissions(identity);
    json!({
        "nkey": key.public(),
        "permissions": {
            "publish": { "allow": permissions.publish },
            "subscribe": { "allow": permissions.subscribe },
        },
    })
}
