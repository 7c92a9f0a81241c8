//! Where `make setup` put the programs.

use std::path::{Path, PathBuf};

use crate::ServerError;

/// The folder of programs that `make setup` fills, usually `.tools/` of the checkout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tools {
    root: PathBuf,
}

impl Tools {
    /// Finds the folder: `CAFFEINE_TOOLS` if set, else `.tools` beside or above the working
    /// directory, else beside or above this executable.
    ///
    /// # Errors
    /// [`ServerError::NoTools`], which says what to do.
    pub fn locate() -> Result<Self, ServerError> {
        if let Some(given) = std::env::var_os("CAFFEINE_TOOLS") {
            return Self::at(PathBuf::from(given));
        }
        let starts = [std::env::current_dir(), std::env::current_exe()];
        let found = starts
            .iter()
            .flatten()
            .flat_map(|start| start.ancestors())
            .map(|folder| folder.join(".tools"))
            .find(|candidate| is_complete(candidate));
        match found {
            Some(root) => Ok(Self { root }),
            None => Err(ServerError::NoTools {
                looked: "the .tools folder of this directory or of one above it".to_owned(),
            }),
        }
    }

    /// Uses a folder that is already known.
    ///
    /// # Errors
    /// [`ServerError::NoTools`] if it does not hold both servers, [`ServerError::Io`] if it cannot
    /// be resolved.
    pub fn at(root: PathBuf) -> Result<Self, ServerError> {
        if !is_complete(&root) {
            return Err(ServerError::NoTools { looked: root.display().to_string() });
        }
        let absolute = std::path::absolute(&root).map_err(ServerError::io("resolve", &root))?;
        Ok(Self { root: absolute })
    }

    /// The nats-server program.
    pub fn nats_server(&self) -> PathBuf {
        nats_server(&self.root)
    }

    /// The folder with everything of PostgreSQL; it can be moved as a whole.
    pub(crate) fn postgres_root(&self) -> PathBuf {
        self.root.join("postgres")
    }

    /// The folder with PostgreSQL's programs (`postgres`, `psql`, `pg_dump` …).
    pub fn postgres_bin(&self) -> PathBuf {
        postgres_bin(&self.postgres_root())
    }
}

fn nats_server(root: &Path) -> PathBuf {
    root.join("nats").join("nats-server")
}

/// The programs' folder inside a copy of [`Tools::postgres_root`].
pub(crate) fn postgres_bin(postgres_root: &Path) -> PathBuf {
    postgres_root.join("dist").join("18").join("bin")
}

fn is_complete(root: &Path) -> bool {
    nats_server(root).is_file() && postgres_bin(&root.join("postgres")).join("postgres").is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_folder_is_refused_with_the_way_out() {
        let empty = tempfile::tempdir().expect("temporary folder");
        let error = Tools::at(empty.path().to_owned()).expect_err("nothing in it");
        assert!(error.to_string().contains("make setup"), "{error}");
    }
}
