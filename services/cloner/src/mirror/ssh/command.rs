//! The command line of ssh.

use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use caffeine_model::SshAddress;

use super::KeyFolder;

/// Nothing that a host, a repository or this machine's users say can change one of these.
const FIXED: [&str; 27] = [
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "GlobalKnownHostsFile=/dev/null",
    "UpdateHostKeys=no",
    "CheckHostIP=no",
    "VerifyHostKeyDNS=no",
    "CanonicalizeHostname=no",
    "IdentitiesOnly=yes",
    "IdentityAgent=none",
    "PreferredAuthentications=publickey",
    "PubkeyAuthentication=yes",
    "PasswordAuthentication=no",
    "KbdInteractiveAuthentication=no",
    "GSSAPIAuthentication=no",
    "HostbasedAuthentication=no",
    "ForwardAgent=no",
    "ForwardX11=no",
    "ClearAllForwardings=yes",
    "PermitLocalCommand=no",
    "ProxyCommand=none",
    "ProxyJump=none",
    "ControlMaster=no",
    "ControlPath=none",
    "ConnectTimeout=15",
    "ServerAliveInterval=15",
    "ServerAliveCountMax=3",
    "SendEnv=GIT_PROTOCOL",
];

/// Ssh to the checked number, as if it were the host's name; the other side runs git for one path.
pub(super) fn command(address: &SshAddress, ip: IpAddr, key: &KeyFolder) -> Command {
    let mut command = Command::new("ssh");
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("LC_ALL", "C")
        .env("GIT_PROTOCOL", "version=2")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .args(["-F", "none", "-T", "-x", "-a", "-e", "none"]);
    for option in FIXED {
        command.args(["-o", option]);
    }
    command
        .args(["-o", &format!("IdentityFile={}", quoted(&key.private_key()))])
        .args(["-o", &format!("UserKnownHostsFile={}", quoted(&key.known_hosts()))])
        .args(["-o", &format!("HostKeyAlias={}", known_as(address))])
        .args(["-o", &format!("HostName={ip}")])
        .args(["-p", &address.port().to_string(), "-l", address.user(), "--"])
        .arg(address.host())
        .arg(format!("git-upload-pack {}", shell_word(address.path())));
    command
}

/// The name of the host in a `known_hosts` file.
fn known_as(address: &SshAddress) -> String {
    if address.port() == 22 { address.host().to_owned() } else { format!("[{}]:{}", address.host(), address.port()) }
}

/// A path as a value in ssh's configuration, where `%` and quotes mean something.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy().replace('%', "%%").replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{text}\"")
}

/// One word for the shell on the other side.
fn shell_word(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''").replace('!', "'\\!'"))
}

#[cfg(test)]
mod tests {
    use super::{command, known_as, shell_word};
    use crate::mirror::ssh::KeyFolder;
    use crate::source::DeployKey;
    use caffeine_model::SshAddress;

    #[test]
    fn arguments() {
        let scratch = tempfile::tempdir().unwrap();
        let key = KeyFolder::write(scratch.path(), DeployKey { private_key: "k", known_hosts: "h" }).unwrap();
        let address = SshAddress::parse("ssh://ada@git.corp:2222/it's/a!.git").unwrap();
        let command = command(&address, "192.0.2.7".parse().unwrap(), &key);
        let arguments: Vec<String> = command.get_args().map(|text| text.to_string_lossy().into_owned()).collect();
        assert_eq!(arguments[..2], ["-F", "none"]);
        for wanted in ["HostName=192.0.2.7", "HostKeyAlias=[git.corp]:2222", "StrictHostKeyChecking=yes"] {
            assert!(arguments.iter().any(|argument| argument == wanted), "{wanted} in {arguments:?}");
        }
        let end = &arguments[arguments.len() - 7..];
        assert_eq!(
            end,
            ["-p", "2222", "-l", "ada", "--", "git.corp", "git-upload-pack '/it'\\''s/a'\\!'.git'"],
            "{arguments:?}"
        );
        let variables: Vec<_> = command.get_envs().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
        assert_eq!(variables, ["GIT_PROTOCOL", "LC_ALL", "PATH"]);
    }

    #[test]
    fn words() {
        assert_eq!(shell_word("$(id) `id` ;"), "'$(id) `id` ;'");
        assert_eq!(known_as(&SshAddress::parse("git@git.corp:a").unwrap()), "git.corp");
    }
}
