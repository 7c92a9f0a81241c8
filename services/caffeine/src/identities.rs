//! Who each service is to the broker and to the database: one folder with a key and an address per service, each in a
//! file that only its owner can read. What is missing is made; what is there stays.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use caffeine_bus::{Nkey, accounts};
use caffeine_contract::{Identity, Service};
use caffeine_store::Store;

/// The broker's users, for `include` in its configuration. Holds no secret.
const USERS: &str = "nats-users.json";

/// A folder of identities.
pub(crate) struct Identities {
    folder: PathBuf,
}

impl Identities {
    /// Takes the folder, or makes it.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(crate) fn open(folder: &Path) -> anyhow::Result<Self> {
        crate::embedded::make_private(folder)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Every user's key, and the broker's configuration of them in `nats-users.json`.
    ///
    /// # Errors
    /// If a file cannot be read or written, or holds something else.
    pub(crate) fn users(&self, prefix: &str) -> anyhow::Result<Users> {
        let mut keys = Vec::new();
        for identity in Identity::ALL {
            let file = self.folder.join(format!("{}.nk", identity.as_str()));
            let key = match read(&file)? {
                Some(seed) => Nkey::parse(&seed).with_context(|| format!("read {}", file.display()))?,
                None => {
                    let key = Nkey::generate();
                    write_private(&file, key.seed())?;
                    key
                }
            };
            keys.push((identity, key));
        }
        let accounts = accounts(prefix, &keys);
        let file = self.folder.join(USERS);
        std::fs::write(&file, format!("{:#}\n", serde_json::json!({ "accounts": accounts })))
            .with_context(|| format!("write {}", file.display()))?;
        Ok(Users { keys, accounts, file })
    }

    /// Every service's role in the database of `url`, whose user may make roles, with its address.
    ///
    /// # Errors
    /// If a file cannot be read or written, or the database refuses.
    pub(crate) async fn roles(&self, store: &Store, url: &str) -> anyhow::Result<Vec<(Service, String)>> {
        let address: url::Url = url.parse().map_err(|_| anyhow::anyhow!("the database's address is none"))?;
        let (mut passwords, mut addresses) = (Vec::new(), Vec::new());
        for service in Service::ALL {
            let file = self.folder.join(format!("{}.database-url", service.as_str()));
            let known = read(&file)?.map(|text| password_of(&text).with_context(|| format!("read {}", file.display())));
            let password = match known {
                Some(password) => password?,
                // 244 random bits.
                None => format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple()),
            };
            let mut own = address.clone();
            let role = store.role_name(service).await?;
            let set = own.set_username(&role).and_then(|()| own.set_password(Some(&password)));
            if set.is_err() {
                bail!("the database's address has no host");
            }
            write_private(&file, own.as_str())?;
            passwords.push((service, password));
            addresses.push((service, own.into()));
        }
        store.keep_roles(&passwords).await.context("make the services' roles")?;
        Ok(addresses)
    }
}

/// The broker's users.
pub(crate) struct Users {
    /// The key of each.
    pub(crate) keys: Vec<(Identity, Nkey)>,
    /// The value of `accounts` in the broker's configuration.
    pub(crate) accounts: serde_json::Value,
    /// Where it is written.
    pub(crate) file: PathBuf,
}

/// The variable that gives a service a setting of its own.
pub(crate) fn variable_of(service: Service, key: &str) -> String {
    format!("CAFFEINE_{}_{key}", service.as_str().replace('-', "_").to_ascii_uppercase())
}

fn password_of(url: &str) -> anyhow::Result<String> {
    // The parser's own words could repeat the address.
    let address: url::Url = url.parse().map_err(|_| anyhow::anyhow!("not an address"))?;
    address.password().map(str::to_owned).context("an address without a password")
}

fn read(file: &Path) -> anyhow::Result<Option<String>> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("read {}", file.display())),
    }
}

/// Replaces the file at once: whoever reads it sees the old text or the new one.
fn write_private(file: &Path, text: &str) -> anyhow::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let fresh = file.with_extension("new");
    let _ = std::fs::remove_file(&fresh);
    let mut out = std::fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&fresh)
        .with_context(|| format!("write {}", fresh.display()))?;
    out.write_all(text.as_bytes())?;
    std::fs::rename(&fresh, file).with_context(|| format!("write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use caffeine_contract::{Identity, Service};

    use super::{Identities, variable_of};

    #[test]
    fn keys_are_made_once_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("identities");
        let first = Identities::open(&place).unwrap().users("").unwrap();
        let second = Identities::open(&place).unwrap().users("p").unwrap();
        let public =
            |users: &super::Users| users.keys.iter().map(|(_, key)| key.public().to_owned()).collect::<Vec<_>>();
        assert_eq!(public(&first), public(&second));
        for identity in Identity::ALL {
            let file = place.join(format!("{}.nk", identity.as_str()));
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        let rendered = std::fs::read_to_string(&second.file).unwrap();
        assert!(rendered.contains("p.caffeine.v1.files.batch.>"), "rendered anew with the prefix");
        for (_, key) in &second.keys {
            assert!(rendered.contains(key.public()) && !rendered.contains(key.seed()));
        }
    }

    #[test]
    fn a_file_that_is_no_key_is_named_but_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("cloner.nk"), "hunter2").unwrap();
        let error = format!("{:#}", Identities::open(folder.path()).unwrap().users("").err().unwrap());
        assert!(error.contains("cloner.nk") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn variables_have_the_sections_name() {
        assert_eq!(variable_of(Service::DocWriter, "NATS_NKEY"), "CAFFEINE_DOC_WRITER_NATS_NKEY");
    }
}
