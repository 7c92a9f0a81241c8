//! Go: the module path and the directory say it all.

use super::index::{Module, Target};
use super::packages::Packages;

pub(super) fn module(packages: &Packages<'_>, path: &str) -> Module {
    match packages.go_import(path) {
        Some(Some(package)) => return Module::Found(Target::Package(package)),
        Some(None) => return Module::Unknown,
        None => {}
    }
    let mut parts = path.split('/');
    let host = parts.next().unwrap_or_default();
    // Paths of the standard library have no dot in their first part.
    if !host.contains('.') {
        return Module::Unknown;
    }
    if let Some(required) = packages.go_requirement(path) {
        return Module::External(required.to_owned());
    }
    // Hosts of code name a package by owner and repository; other paths are modules as they are.
    let is_forge = matches!(host, "github.com" | "gitlab.com" | "bitbucket.org" | "codeberg.org");
    let length = if is_forge || path.starts_with("golang.org/x/") { 2 } else { 1 };
    let mut package = vec![host];
    package.extend(parts.by_ref().take(length));
    package.extend(parts.next().filter(|part| is_major_version(part)));
    Module::External(package.join("/"))
}

/// `v2` and above: part of the module's name.
fn is_major_version(part: &str) -> bool {
    let digits = part.strip_prefix('v').unwrap_or_default();
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number && !digits.starts_with('0') && digits != "1"
}
