//! Where PostgreSQL's files may lie, and as whom it runs.
//!
//! PostgreSQL refuses to run as root. Started by root it therefore runs as a user without a name
//! and without rights, and this user must be able to reach program and data: he cannot when the
//! checkout lies in root's home directory. Nothing of other people's directories is opened up for
//! him. If he does not reach the data directory, the database moves to a place of its own, which
//! a file in the data directory names; if he does not reach the programs, they are linked or
//! copied beside the database.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::dir::random_hex;
use crate::tools::postgres_bin;
use crate::{ServerError, Tools};

/// The id every system keeps for "nobody"; it needs no entry in the user database.
const NOBODY: u32 = 65534;

/// Program, data and user of one database.
#[derive(Debug)]
pub(super) struct Place {
    /// The folder with the programs.
    pub(super) bin: PathBuf,
    /// The folder PostgreSQL owns; the cluster is in it.
    pub(super) home: PathBuf,
    /// The user and group to become, if we are root.
    pub(super) run_as: Option<(u32, u32)>,
    /// A place of its own that is to vanish with the server.
    _scratch: Option<TempDir>,
}

impl Place {
    /// Decides, and creates what is missing.
    pub(super) fn choose(tools: &Tools, data_dir: &Path, durable: bool) -> Result<Self, ServerError> {
        if effective_uid(data_dir)? != 0 {
            let home = data_dir.join("server");
            make_dir(&home, 0o700)?;
            return Ok(Self { bin: tools.postgres_bin(), home, run_as: None, _scratch: None });
        }
        let pointer = data_dir.join("location");
        if let Ok(text) = fs::read_to_string(&pointer) {
            let place = PathBuf::from(text.trim());
            if !place.is_dir() {
                return Err(ServerError::PlaceGone { data_dir: data_dir.to_owned(), place });
            }
            return Self::within(tools, &place, None);
        }
        // Ours alone, and what matters in it is private by itself.
        make_dir(data_dir, 0o711)?;
        let mut tried = vec![data_dir.display().to_string()];
        if is_reachable(data_dir) {
            match Self::within(tools, data_dir, None) {
                Err(ServerError::NoPlace { .. }) => {}
                decided => return decided,
            }
        }
        for base in bases(durable) {
            tried.push(base.display().to_string());
            let Ok(scratch) = own_folder(&base) else {
                continue;
            };
            if !is_reachable(scratch.path()) {
                continue;
            }
            let path = scratch.path().to_owned();
            let (place, kept) = if durable { (scratch.keep(), None) } else { (path, Some(scratch)) };
            match Self::within(tools, &place, kept) {
                Ok(chosen) => {
                    if durable {
                        fs::write(&pointer, place.display().to_string()).map_err(ServerError::io("write", &pointer))?;
                    }
                    tracing::info!(place = %place.display(), "keep the database where its unprivileged user reaches it");
                    return Ok(chosen);
                }
                // A folder on which nothing may be executed, for one.
                Err(ServerError::NoPlace { .. }) => {
                    let _ = fs::remove_dir_all(&place);
                }
                Err(error) => return Err(error),
            }
        }
        Err(ServerError::NoPlace { tried: tried.join(", ") })
    }

    /// Uses a folder the unprivileged user reaches.
    fn within(tools: &Tools, place: &Path, scratch: Option<TempDir>) -> Result<Self, ServerError> {
        let home = place.join("server");
        make_dir(&home, 0o700)?;
        let owner = fs::metadata(&home).map_err(ServerError::io("read", &home))?;
        // A database that an ordinary user began stays that user's.
        let run_as = match (owner.uid(), owner.gid()) {
            (0, _) => (NOBODY, NOBODY),
            existing => existing,
        };
        chown(&home, Some(run_as.0), Some(run_as.1)).map_err(ServerError::io("give away", &home))?;

        let bin = tools.postgres_bin();
        if runs(&bin, run_as) {
            return Ok(Self { bin, home, run_as: Some(run_as), _scratch: scratch });
        }
        let copy = place.join("program");
        copy_program(&tools.postgres_root(), &copy)?;
        let bin = postgres_bin(&copy);
        if !runs(&bin, run_as) {
            return Err(ServerError::NoPlace { tried: place.display().to_string() });
        }
        Ok(Self { bin, home, run_as: Some(run_as), _scratch: scratch })
    }

    /// A command of PostgreSQL's, as the right user and without our environment.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").current_dir("/");
        if let Some((user, group)) = self.run_as {
            command.uid(user).gid(group);
        }
        command
    }

    /// Gives a file or folder to the user PostgreSQL runs as.
    pub(super) fn give(&self, path: &Path) -> Result<(), ServerError> {
        match self.run_as {
            None => Ok(()),
            Some((user, group)) => chown(path, Some(user), Some(group)).map_err(ServerError::io("give away", path)),
        }
    }
}

/// Where a database may go that cannot stay in its data directory. A throw-away one goes where
/// the system tidies up by itself, another one never does.
fn bases(durable: bool) -> Vec<PathBuf> {
    if durable {
        vec![PathBuf::from("/var/lib"), PathBuf::from("/srv"), PathBuf::from("/opt")]
    } else {
        vec![std::env::temp_dir(), "/tmp".into(), "/var/tmp".into(), "/var/lib".into()]
    }
}

fn own_folder(base: &Path) -> std::io::Result<TempDir> {
    let name = format!("caffeinecode-{}", random_hex::<8>());
    let folder = tempfile::Builder::new().prefix(&name).rand_bytes(0).tempdir_in(base)?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711))?;
    Ok(folder)
}

fn make_dir(path: &Path, mode: u32) -> Result<(), ServerError> {
    fs::create_dir_all(path)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
        .map_err(ServerError::io("create", path))
}

/// Our user id, without a system call of our own: what we create is ours.
fn effective_uid(dir: &Path) -> Result<u32, ServerError> {
    tempfile::tempfile_in(dir)
        .and_then(|file| file.metadata())
        .map(|metadata| metadata.uid())
        .map_err(ServerError::io("write to", dir))
}

/// Whether the unprivileged user gets into the folder: asked of the system, which knows about
/// access lists and mounts that permission bits do not show.
fn is_reachable(folder: &Path) -> bool {
    let mut probe = Command::new("test");
    probe.arg("-x").arg(folder);
    succeeds(&mut probe, (NOBODY, NOBODY))
}

fn runs(bin: &Path, user: (u32, u32)) -> bool {
    let mut probe = Command::new(bin.join("postgres"));
    probe.arg("--version");
    succeeds(&mut probe, user)
}

fn succeeds(probe: &mut Command, (user, group): (u32, u32)) -> bool {
    probe
        .uid(user)
        .gid(group)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Brings the programs to `copy`, as links where that is possible; leaves them alone if they are
/// there already in the same version.
fn copy_program(source: &Path, copy: &Path) -> Result<(), ServerError> {
    let postgres = postgres_bin(source).join("postgres");
    let origin = fs::metadata(&postgres)
        .map(|file| format!("{} {} {}\n", postgres.display(), file.len(), file.mtime()))
        .map_err(ServerError::io("read", &postgres))?;
    let marker = copy.join("origin");
    if fs::read_to_string(&marker).is_ok_and(|known| known == origin) {
        return Ok(());
    }
    if copy.exists() {
        fs::remove_dir_all(copy).map_err(ServerError::io("remove", copy))?;
    }
    copy_folder(source, copy)?;
    fs::write(&marker, origin).map_err(ServerError::io("write", &marker))
}

fn copy_folder(source: &Path, copy: &Path) -> Result<(), ServerError> {
    make_dir(copy, 0o755)?;
    for entry in fs::read_dir(source).map_err(ServerError::io("read", source))? {
        let entry = entry.map_err(ServerError::io("read", source))?;
        let (from, to) = (entry.path(), copy.join(entry.file_name()));
        let kind = entry.file_type().map_err(ServerError::io("read", &from))?;
        if kind.is_dir() {
            copy_folder(&from, &to)?;
        } else if fs::hard_link(&from, &to).is_err() {
            fs::copy(&from, &to).map_err(ServerError::io("copy", &from))?;
        }
    }
    Ok(())
}
