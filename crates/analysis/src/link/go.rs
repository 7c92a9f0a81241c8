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
    // Hosts of code name a package by owner and repository; other paths are modules as they are.
    let is_forge = matches!(host, "github.com" | "gitlab.com" | "bitbucket.org" | "codeberg.org");
    let length = if is_forge { 2 } else { 1 };
    let package: Vec<&str> = std::iter::once(host).chain(parts.take(length)).collect();
    Module::External(package.join("/"))
}
