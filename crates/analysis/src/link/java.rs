//! Java: packages by name, types in them.

use super::index::{Module, Target};
use super::packages::Packages;

pub(super) fn module(packages: &Packages<'_>, name: &str) -> Module {
    if let Some(package) = packages.java_package(name) {
        return Module::Found(Target::Package(package));
    }
    // A static import names a type where others name a package.
    if let Some(target) = packages.java_type(name) {
        return Module::Found(target);
    }
    if matches!(name.split('.').next(), Some("java" | "javax" | "jdk" | "")) {
        return Module::Unknown;
    }
    // Packages of one library share the start of their names.
    let parts: Vec<&str> = name.split('.').filter(|part| part.starts_with(char::is_lowercase)).take(3).collect();
    Module::External(parts.join("."))
}
