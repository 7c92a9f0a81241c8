//! Settings of the cloner.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;

/// The section `cloner` of the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClonerConfig {
    /// Folder for the mirrors of repositories. A cache: it can be deleted while the service is down.
    pub data_dir: PathBuf,
    /// Hosts in private networks that may be cloned from, each as exact `host:port` (`git.example.com:443`).
    /// Everything else must have a public address.
    pub allow_hosts: Vec<String>,
    /// Most entries of a snapshot; the rest of the tree is not listed.
    pub max_files: usize,
    /// Deepest folder that is listed.
    pub max_depth: usize,
    /// Most bytes that one fetch may bring.
    pub max_pack_bytes: u64,
    /// Largest single object (file, folder or commit) that a fetched pack may hold, in bytes.
    pub max_object_bytes: u64,
    /// Longest time for one fetch, in seconds.
    pub fetch_seconds: u64,
    /// Most bytes that all mirrors may take on the disk; beyond it those go that were not used for the longest time. Those in
    /// use stay.
    pub max_mirror_bytes: u64,
    /// The private key that opens credentials of git hosts, as `caffeine credential-key` writes it; best given as a file
    /// (`CAFFEINE_CLONER_CREDENTIAL_KEY_FILE`). Without it only what anybody may read is cloned.
    pub credential_key: Option<SecretString>,
}

impl Default for ClonerConfig {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("data/cloner"),
            allow_hosts: Vec::new(),
            max_files: 200_000,
            max_depth: 64,
            max_pack_bytes: 2 * 1024 * 1024 * 1024,
            max_object_bytes: 128 * 1024 * 1024,
            fetch_seconds: 600,
            max_mirror_bytes: 20 * 1024 * 1024 * 1024,
            credential_key: None,
        }
    }
}

impl ClonerConfig {
    /// Longest time for one fetch.
    #[must_use]
    pub fn fetch_time(&self) -> Duration {
        Duration::from_secs(self.fetch_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::ClonerConfig;

    #[test]
    fn a_misspelt_setting_is_refused() {
        assert!(serde_json::from_str::<ClonerConfig>("{\"max_files\": 5}").is_ok());
        assert!(serde_json::from_str::<ClonerConfig>("{\"max_fils\": 5}").is_err());
    }
}
