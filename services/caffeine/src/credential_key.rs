//! The pair of keys for credentials of git hosts.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use caffeine_sealed::{PrivateKey, PublicKey};

/// Makes the pair unless the file is there, and prints the public key.
pub(crate) fn credential_key(file: &Path) -> anyhow::Result<ExitCode> {
    println!("{}", ensure(file)?);
    Ok(ExitCode::SUCCESS)
}

/// The public key of the private one in a file that only its owner can read; the first call makes it.
///
/// # Errors
/// If the file cannot be written, or holds something else.
pub(crate) fn ensure(file: &Path) -> anyhow::Result<PublicKey> {
    match std::fs::read_to_string(file) {
        Ok(text) => {
            let key: PrivateKey = text.parse().with_context(|| format!("read {}", file.display()))?;
            return Ok(key.public());
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("read the credential key from {}", file.display())),
    }
    let key = PrivateKey::generate();
    let mut out = std::fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .with_context(|| format!("write the credential key to {}", file.display()))?;
    out.write_all(key.expose().as_bytes())?;
    out.sync_all()?;
    Ok(key.public())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::ensure;

    #[test]
    fn made_once_and_for_the_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("credential-key");
        let made = ensure(&file).unwrap();
        assert_eq!(ensure(&file).unwrap(), made);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&file, "something else").unwrap();
        let error = format!("{:#}", ensure(&file).unwrap_err());
        assert!(error.contains("not a key"), "{error}");
    }
}
