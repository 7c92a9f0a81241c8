//! The keys that sessions of browsers are signed with.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};

use crate::cli::{KeyStep, SessionKeysArgs};

/// Makes the file, or takes the next step in changing keys.
pub(crate) fn session_keys(args: &SessionKeysArgs) -> anyhow::Result<ExitCode> {
    ensure(&args.file)?;
    let keys = args.step.map_or_else(|| read(&args.file), |step| change(&args.file, step))?;
    let says = match (args.step, keys.len()) {
        (Some(KeyStep::Add), _) => {
            "the last one verifies only: restart every gateway with this file, then `--step sign`"
        }
        (Some(KeyStep::Sign), _) => {
            "the first one signs now: restart every gateway with this file, wait 15 minutes, then `--step drop`"
        }
        (Some(KeyStep::Drop), _) => "sessions of the old ones are asked to sign in again: restart every gateway",
        (None, _) => "the first one signs, all of them verify",
    };
    println!(
        "{} in {}: {says}.",
        if keys.len() == 1 { "1 key".to_owned() } else { format!("{} keys", keys.len()) },
        args.file.display()
    );
    Ok(ExitCode::SUCCESS)
}

/// Makes a key unless the file is there; only its owner can read it.
///
/// # Errors
/// If the file cannot be written.
pub(crate) fn ensure(file: &Path) -> anyhow::Result<()> {
    if !file.exists() {
        write(file, &[caffeine_gateway::generate_session_key()?])?;
    }
    Ok(())
}

fn change(file: &Path, step: KeyStep) -> anyhow::Result<Vec<String>> {
    let mut keys = read(file)?;
    match step {
        KeyStep::Add => keys.push(caffeine_gateway::generate_session_key()?),
        KeyStep::Sign if keys.len() < 2 => bail!("there is no second key: `--step add` comes first"),
        KeyStep::Sign => keys.rotate_right(1),
        KeyStep::Drop => keys.truncate(1),
    }
    write(file, &keys)?;
    Ok(keys)
}

fn read(file: &Path) -> anyhow::Result<Vec<String>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("read session keys from {}", file.display()))?;
    caffeine_gateway::check_session_keys(&text).with_context(|| format!("read {}", file.display()))?;
    Ok(text.split([',', ' ', '\t', '\r', '\n']).filter(|key| !key.is_empty()).map(str::to_owned).collect())
}

/// Beside its place first, so that a gateway that starts now reads the old file or the new one.
fn write(file: &Path, keys: &[String]) -> anyhow::Result<()> {
    let fresh = file.with_extension("new");
    let mut out = std::fs::File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)
        .with_context(|| format!("write session keys to {}", fresh.display()))?;
    out.write_all(format!("{}\n", keys.join("\n")).as_bytes())?;
    out.sync_all()?;
    std::fs::rename(&fresh, file).with_context(|| format!("put session keys in place at {}", file.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::{change, ensure, read};
    use crate::cli::KeyStep;

    #[test]
    fn a_key_is_changed_step_by_step() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("session-keys");
        ensure(&file).unwrap();
        let old = read(&file).unwrap();
        ensure(&file).unwrap();
        assert_eq!(read(&file).unwrap(), old, "a second time changes nothing");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let error = format!("{:#}", change(&file, KeyStep::Sign).unwrap_err());
        assert!(error.contains("--step add"), "{error}");

        let added = change(&file, KeyStep::Add).unwrap();
        assert_eq!((added.len(), &added[0]), (2, &old[0]), "the old one signs on");
        let signs = change(&file, KeyStep::Sign).unwrap();
        assert_eq!(signs, [added[1].clone(), added[0].clone()]);
        assert_eq!(change(&file, KeyStep::Drop).unwrap(), [added[1].clone()]);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

        std::fs::write(&file, "something else").unwrap();
        let error = format!("{:#}", read(&file).unwrap_err());
        assert!(error.contains("key 1 is not"), "{error}");
    }
}
