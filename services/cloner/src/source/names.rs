//! How names become addresses. A seam: what a hostile name server does is tested with one that does it.

use std::io;
use std::net::IpAddr;

use async_trait::async_trait;

use super::is_public;

/// Resolves names, and judges what they lead to.
#[async_trait]
pub trait Names: Send + Sync {
    /// The addresses of a name.
    ///
    /// # Errors
    /// If it cannot be resolved.
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>>;

    /// Whether an address may be reached without the operator's word.
    fn is_public(&self, ip: IpAddr) -> bool {
        is_public(ip)
    }
}

/// The system's resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemNames;

#[async_trait]
impl Names for SystemNames {
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }
}
