//! What is wrong with the configuration, in words an operator can act on.

use std::path::PathBuf;

use super::nearest::nearest;

/// A configuration that cannot be used. Values are never part of the text.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("read the configuration file {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file that holds a secret cannot be read.
    #[error("read {} named by `{variable}`", path.display())]
    ReadSecret {
        /// Which variable names it.
        variable: String,
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("parse the configuration file {}: {problem}", path.display())]
    Parse {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// Nobody knows this setting.
    #[error("{what} is unknown; {hint}")]
    Unknown {
        /// The setting and where it stands.
        what: String,
        /// The nearest known names, or all of them.
        hint: String,
    },
    /// A setting without a default is not given.
    #[error("{setting} is not set: put it into the configuration file or into the environment")]
    Missing {
        /// Which one.
        setting: String,
    },
    /// A value of the wrong type or out of range.
    #[error("{setting} {problem}")]
    Invalid {
        /// Which setting, and where it stands.
        setting: String,
        /// What it must be.
        problem: String,
    },
}

impl ConfigError {
    pub(super) fn unknown(what: String, name: &str, known: Vec<String>) -> Self {
        let close = nearest(name, &known);
        let hint = if close.is_empty() {
            format!("known are: {}", known.join(", "))
        } else {
            format!("did you mean {}?", close.join(" or "))
        };
        Self::Unknown { what, hint }
    }
}
