//! Creates and updates streams and consumers from the contract: the only code that may.

use crate::{Bus, BusError};

/// How much disk the streams may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageProfile {
    /// A laptop or a test: about 1 GiB in all.
    Embedded,
    /// One server: the table's sizes.
    Server,
    /// Three servers: the table's sizes, three replicas.
    Cluster,
}

/// What the provisioner did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProvisionReport {
    /// Names of what was made.
    pub created: Vec<String>,
    /// Names of what was changed.
    pub updated: Vec<String>,
    /// How many were right already.
    pub unchanged: usize,
}

/// Compares every stream and consumer with the contract and creates or updates what differs.
///
/// # Errors
/// If the broker refuses, or if a change would need another retention (which loses messages).
pub async fn provision(bus: &Bus, profile: StorageProfile) -> Result<ProvisionReport, BusError> {
    let _ = (bus, profile);
    unimplemented!("bus runtime")
}
