//! The servers as they are started for real, from `.tools/`.

mod durability;
mod git_http;
mod nats;
mod owner;
mod postgres;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use caffeine_servers::Tools;

fn tools() -> Tools {
    Tools::locate().expect("`make setup` has been run")
}

/// A folder for one test, removed at its end, into which other users can look.
fn folder() -> tempfile::TempDir {
    tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o755))
        .tempdir()
        .expect("a temporary folder can be made")
}

/// Polls until the condition holds; panics after half a minute.
fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < deadline, "never came: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn is_alive(pid: u32) -> bool {
    // A zombie has a folder but no command line.
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

/// Folders below `base` until the path is longer than any socket's may be.
fn long_path(base: &Path) -> PathBuf {
    let mut path = base.to_owned();
    for _ in 0..8 {
        path.push("a folder with a long name, for nobody promised a short one");
    }
    path
}
