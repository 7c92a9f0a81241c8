//! Files that exist to hold secrets.

/// Beginnings of file names, lower case. `.env.example` is denied too: it is often the real one.
const PREFIXES: [&str; 5] = [".env", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519"];
/// Ends of file names, lower case.
const SUFFIXES: [&str; 10] =
    [".pem", ".p12", ".pfx", ".kdbx", ".jks", ".keystore", ".ppk", ".tfstate", ".tfstate.backup", ".kubeconfig"];
/// Whole file names, lower case.
const NAMES: [&str; 7] = ["kubeconfig", ".netrc", "_netrc", ".pgpass", ".git-credentials", ".htpasswd", ".dockercfg"];
/// A folder and a file in it, lower case.
const IN_FOLDERS: [(&str, &str); 3] = [(".kube", "config"), (".aws", "credentials"), (".docker", "config.json")];

/// Whether a file of this path never leaves, whatever the policy. Letter case and the direction of
/// slashes make no difference.
#[must_use]
pub fn is_denied_path(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    let mut parts = path.rsplit(['/', '\\']);
    let name = parts.next().unwrap_or_default();
    let folder = parts.next().unwrap_or_default();
    // A private key of ssh has no extension; id_map.py and id_generator.rs are source code.
    let is_bare_identity = name.starts_with("id_") && !name.contains('.');
    is_bare_identity
        || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
        || NAMES.contains(&name)
        || IN_FOLDERS.contains(&(folder, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_secrets_are_denied_and_source_code_is_not() {
        let denied = [
            ".env",
            "a/.env.production",
            ".ENVRC",
            "server.pem",
            "a/b/KEY.P12",
            "id_rsa",
            "ssh/id_ed25519.pub",
            "id_deploy",
            "vault.kdbx",
            "kubeconfig",
            "a/prod.kubeconfig",
            ".kube/config",
            "x\\.kube\\config",
            "terraform.tfstate",
            "terraform.tfstate.backup",
            "home/.aws/credentials",
            ".netrc",
        ];
        let allowed = [
            "",
            "/",
            "src/env.rs",
            "id_map.py",
            "src/id_generator.rs",
            "pem.rs",
            "src/config",
            "credentials",
            "docs/kubeconfig.md",
            "main.tf",
            "grid_layout",
        ];
        for path in denied {
            assert!(is_denied_path(path), "{path} is denied");
        }
        for path in allowed {
            assert!(!is_denied_path(path), "{path} is allowed");
        }
    }
}
