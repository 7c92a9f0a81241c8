//! Python: packages from wherever they may stand, relative and absolute.

use super::index::{FileId, Index, Module, Target, ancestors, folder, join};
use super::packages::Packages;
use super::standard;
use crate::{Language, ManifestKind};

const INIT: &[&str] = &["__init__.py", "__init__.pyi"];

/// Fills in the dotted names of all files, from every directory that can be on the path.
pub(super) fn read<'input>(index: &Index<'input>, packages: &mut Packages<'input>) {
    let mut roots: Vec<String> = vec![String::new(), "src".to_owned()];
    for file in &index.files {
        if file.manifest.as_ref().is_some_and(|manifest| manifest.kind == ManifestKind::PyProject) {
            let home = folder(&file.path);
            roots.push(home.to_owned());
            roots.push(join(home, "src"));
        }
    }
    for (id, file) in index.of_language(&[Language::Python]) {
        let own_root = package_root(index, &file.path);
        let mut names: Vec<String> =
            roots.iter().map(String::as_str).chain([own_root]).filter_map(|root| dotted(root, &file.path)).collect();
        names.sort();
        names.dedup();
        for name in names {
            if let Some(top) = name.split('.').next() {
                packages.python_tops.insert(top.to_owned());
            }
            packages.python.entry(name).or_default().push(id);
        }
    }
}

/// The directory above the topmost package around a file.
fn package_root<'path>(index: &Index<'_>, path: &'path str) -> &'path str {
    let is_package = |folder: &&str| INIT.iter().any(|init| index.find(&join(folder, init)).is_some());
    ancestors(path).find(|folder| !is_package(folder)).unwrap_or_default()
}

/// The dotted name of a file below a root.
fn dotted(root: &str, path: &str) -> Option<String> {
    let inside = if root.is_empty() { path } else { path.strip_prefix(root)?.strip_prefix('/')? };
    let stem = inside.rsplit_once('.').map_or(inside, |(stem, _)| stem);
    let stem = stem.strip_suffix("/__init__").unwrap_or(stem);
    (stem != "__init__" && !stem.is_empty()).then(|| stem.replace('/', "."))
}

pub(super) fn module(index: &Index<'_>, packages: &Packages<'_>, file: FileId, name: &str) -> Module {
    if let Some(found) = find(index, packages, file, name) {
        return Module::Found(found);
    }
    let top = name.split('.').next().unwrap_or_default();
    if top.is_empty() || packages.python_tops.contains(top) || standard::is_python(top) {
        return Module::Unknown;
    }
    Module::External(top.to_owned())
}

/// The file of a dotted name as written in another file.
pub(super) fn find(index: &Index<'_>, packages: &Packages<'_>, file: FileId, name: &str) -> Option<Target> {
    let path = index.path(file);
    let dots = name.len() - name.trim_start_matches('.').len();
    if dots > 0 {
        let base = ancestors(path).nth(dots - 1)?;
        let inside = name.trim_start_matches('.').replace('.', "/");
        return file_at(index, &join(base, &inside)).map(Target::File);
    }
    // A script finds its neighbours first.
    let home = folder(path);
    let is_script = !INIT.iter().any(|init| index.find(&join(home, init)).is_some());
    if is_script && let Some(found) = file_at(index, &join(home, &name.replace('.', "/"))) {
        return Some(Target::File(found));
    }
    nearest(index, path, packages.python.get(name)?).map(Target::File)
}

fn file_at(index: &Index<'_>, path: &str) -> Option<FileId> {
    let module = [".py", ".pyi"].iter().find_map(|ending| index.find(&format!("{path}{ending}")));
    module.or_else(|| INIT.iter().find_map(|init| index.find(&join(path, init))))
}

/// The candidate that shares most with the importing path; none if two do.
fn nearest(index: &Index<'_>, path: &str, candidates: &[FileId]) -> Option<FileId> {
    let shared = |other: &str| path.split('/').zip(other.split('/')).take_while(|(left, right)| left == right).count();
    let score = |id: &FileId| {
        let other = index.path(*id);
        (shared(other), other.ends_with(".py"))
    };
    let best = candidates.iter().map(score).max()?;
    let mut of_best = candidates.iter().filter(|id| score(id) == best);
    let first = of_best.next()?;
    of_best.next().is_none().then_some(*first)
}
