//! A real sshd on a port of loopback, for the user who runs the tests.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use caffeine_sealed::Secret;
use caffeine_testkit::eventually;
use tempfile::TempDir;

/// A running sshd with a host key and one deploy key. Ends when dropped.
pub(crate) struct Sshd {
    folder: TempDir,
    child: Child,
    pub(crate) port: u16,
    pub(crate) user: String,
}

impl Sshd {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for key in ["host", "deploy", "stranger"] {
            key_pair(&folder.path().join(key));
        }
        std::fs::copy(folder.path().join("deploy.pub"), folder.path().join("authorized")).unwrap();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let user = printed(Command::new("id").arg("-un"));
        let at = |name: &str| folder.path().join(name).display().to_string();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nUsePAM no\n\
             StrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n\
             AllowUsers {user}\nAcceptEnv GIT_PROTOCOL\nDisableForwarding yes\n",
            at("host"),
            at("authorized")
        );
        std::fs::write(folder.path().join("config"), config).unwrap();
        if printed(Command::new("id").arg("-u")) == "0" {
            // Where a root's sshd locks itself in; a package's service makes it at boot.
            std::fs::create_dir_all("/run/sshd").unwrap();
        }
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f", &at("config")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("this test needs openssh-server (make setup installs it): {error}"));
        let sshd = Self { folder, child, port, user };
        eventually(Duration::from_secs(20), || async { TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() }).await;
        sshd
    }

    /// The deploy key, with the host known by this name.
    pub(crate) fn deploy_key(&self, host: &str) -> Secret {
        self.secret("deploy", "host", host)
    }

    /// A key pair of the fixture as a credential: whose, and which key the host is said to have.
    pub(crate) fn secret(&self, key: &str, host_key: &str, host: &str) -> Secret {
        let read = |name: &str| std::fs::read_to_string(self.folder.path().join(name)).unwrap();
        let known_hosts = format!("[{host}]:{} {}", self.port, read(&format!("{host_key}.pub")));
        Secret::SshKey { private_key: read(key), known_hosts }
    }

    /// The address of a repository on this host.
    pub(crate) fn url(&self, host: &str, path: &Path) -> String {
        format!("ssh://{}@{host}:{}{}", self.user, self.port, path.display())
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- sshd\n{}", std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default());
        }
    }
}

fn key_pair(file: &Path) {
    let made =
        Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"]).arg(file).status();
    assert!(made.unwrap().success(), "ssh-keygen makes a key");
}

fn printed(command: &mut Command) -> String {
    String::from_utf8(command.output().unwrap().stdout).unwrap().trim().to_owned()
}
