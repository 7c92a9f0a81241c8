//! The listing of a commit: every entry of its tree, with limits, without reading a single file.

use std::collections::HashSet;

use caffeine_model::{Oid, RepoPath};
use gix::objs::tree::EntryKind;
use gix::objs::{Kind, TreeRefIter};

use super::{Mirror, damaged};
use crate::CloneError;

/// A path longer than this is shortened and flagged: it would not fit into an index of the database.
const MAX_PATH_BYTES: usize = 1_024;
/// Of a path that breaks the rules, as much is kept.
const MAX_LOSSY_CHARS: usize = 200;
/// All paths of a listing together are at most this long: a listing is held in memory.
const MAX_PATHS_BYTES: usize = 64 * 1024 * 1024;
/// A folder whose object is larger is not listed.
const MAX_TREE_BYTES: u64 = 16 * 1024 * 1024;

/// How much of a tree is listed.
#[derive(Debug, Clone, Copy)]
pub struct ListLimits {
    /// Most entries; and most folders, which a tree can have without having files.
    pub max_files: usize,
    /// Deepest folder; the top is 0.
    pub max_depth: usize,
    /// Largest file that travels, in bytes.
    pub max_file_bytes: u64,
}

/// Why an entry never travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SkipReason {
    /// Larger than a batch.
    TooLarge,
    /// A symbolic link; it is never followed.
    Symlink,
    /// A commit of another repository; it is never fetched.
    Submodule,
    /// The path is not UTF-8, climbs, is too long, or is there twice; it is listed in a readable form.
    BadPath,
    /// A folder that is too deep or too large to be listed.
    Limit,
    /// The object is missing or malformed on the host.
    Unreadable,
}

impl SkipReason {
    /// The word used in rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::Symlink => "symlink",
            Self::Submodule => "submodule",
            Self::BadPath => "bad_path",
            Self::Limit => "limit",
            Self::Unreadable => "unreadable",
        }
    }
}

/// An entry of a commit: a file, or something that stands where a file could be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its path, made readable and unique if git's breaks the rules.
    pub path: RepoPath,
    /// The object.
    pub oid: Oid,
    /// Git's mode.
    pub mode: u32,
    /// Bytes of its content, 0 for submodules and folders.
    pub size: u64,
    /// Why it never travels.
    pub skip: Option<SkipReason>,
}

/// A commit and its entries, by path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The commit.
    pub commit: Oid,
    /// Its tree.
    pub tree: Oid,
    /// When it says it was made, in seconds since 1970-01-01 UTC.
    pub committed_at: i64,
    /// Its entries.
    pub files: Vec<Listed>,
    /// A limit was met: something is not listed.
    pub truncated: bool,
}

impl Listing {
    /// A repository without a commit: no files, a commit of zeros, git's empty tree.
    #[must_use]
    pub fn empty() -> Self {
        let zeros = Oid::from_bytes(&[0; 20]).expect("twenty bytes are an object id");
        let tree = gix::ObjectId::empty_tree(gix::hash::Kind::Sha1);
        let tree = Oid::from_bytes(tree.as_bytes()).expect("twenty bytes are an object id");
        Self { commit: zeros, tree, committed_at: 0, files: Vec::new(), truncated: false }
    }

    /// How many entries could not be read.
    #[must_use]
    pub fn unreadable(&self) -> usize {
        self.files.iter().filter(|file| file.skip == Some(SkipReason::Unreadable)).count()
    }
}

impl Mirror {
    /// Whether the mirror has the commit and its tree.
    #[must_use]
    pub fn has_commit(&self, commit: Oid) -> bool {
        if !self.exists() {
            return false;
        }
        self.open()
            .and_then(|repository| resolve(&repository, commit).map(|found| repository.has_object(id(found.tree))))
            .unwrap_or(false)
    }

    /// Lists a commit, given it or a tag that leads to it.
    ///
    /// # Errors
    /// [`CloneError::Damaged`] if the commit itself cannot be read; a refusal if the object is no commit.
    pub fn list(&self, object: Oid, limits: ListLimits) -> Result<Listing, CloneError> {
        let repository = self.open()?;
        let found = resolve(&repository, object)?;
        let mut walk = Walk {
            repository: &repository,
            limits,
            entries: Vec::new(),
            pending: Vec::new(),
            folders: 0,
            path_bytes: 0,
            truncated: false,
        };
        walk.pending.push(Folder { tree: found.tree, path: Vec::new(), depth: 0 });
        walk.run();
        let Walk { entries, truncated, .. } = walk;
        Ok(Listing {
            commit: found.commit,
            tree: found.tree,
            committed_at: found.committed_at,
            files: readable(entries),
            truncated,
        })
    }
}

struct Found {
    commit: Oid,
    tree: Oid,
    committed_at: i64,
}

/// Follows tags to the commit.
fn resolve(repository: &gix::Repository, object: Oid) -> Result<Found, CloneError> {
    let found = repository.find_object(id(object)).map_err(|error| damaged("read the commit", &error))?;
    let peeled = found.peel_tags_to_end().map_err(|error| damaged("follow the tag", &error))?;
    let Ok(commit) = peeled.try_into_commit() else {
        return Err(CloneError::refused(
            "ref_not_commit",
            "The ref does not lead to a commit: name a branch, a tag of a commit, or a commit id",
        ));
    };
    let tree = commit.tree_id().map_err(|error| damaged("read the commit", &error))?;
    // A malformed date is no reason to refuse the rest.
    let committed_at = commit.time().map_or(0, |time| time.seconds);
    Ok(Found { commit: oid(commit.id), tree: oid(tree.detach()), committed_at })
}

/// A folder that is still to be listed.
struct Folder {
    tree: Oid,
    path: Vec<u8>,
    depth: usize,
}

/// An entry with git's own path.
struct Raw {
    path: Vec<u8>,
    /// The name breaks a rule that the path as a whole does not show.
    bad_name: bool,
    oid: Oid,
    mode: u32,
    size: u64,
    skip: Option<SkipReason>,
}

struct Walk<'a> {
    repository: &'a gix::Repository,
    limits: ListLimits,
    entries: Vec<Raw>,
    pending: Vec<Folder>,
    /// Folders that were found.
    folders: usize,
    /// Length of the paths of all entries and folders.
    path_bytes: usize,
    truncated: bool,
}

impl Walk<'_> {
    /// Folders wait on a stack of our own: no input makes this recurse.
    fn run(&mut self) {
        while let Some(folder) = self.pending.pop() {
            if self.full() {
                return;
            }
            if let Some(skip) = self.list(&folder) {
                self.push(folder.path, false, folder.tree, EntryKind::Tree, 0, Some(skip));
            }
        }
    }

    fn full(&mut self) -> bool {
        let full = self.entries.len() >= self.limits.max_files
            || self.folders > self.limits.max_files
            || self.path_bytes > MAX_PATHS_BYTES;
        self.truncated |= full;
        full
    }

    /// Lists one folder, or says why not.
    fn list(&mut self, folder: &Folder) -> Option<SkipReason> {
        if folder.depth > self.limits.max_depth {
            self.truncated = true;
            return Some(SkipReason::Limit);
        }
        let header = match self.repository.find_header(id(folder.tree)) {
            Ok(header) if header.kind() == Kind::Tree => header,
            _ => return Some(SkipReason::Unreadable),
        };
        if header.size() > MAX_TREE_BYTES {
            self.truncated = true;
            return Some(SkipReason::Limit);
        }
        let Ok(object) = self.repository.find_object(id(folder.tree)) else { return Some(SkipReason::Unreadable) };
        let mut folders = Vec::new();
        for entry in TreeRefIter::from_bytes(&object.data, gix::hash::Kind::Sha1) {
            let Ok(entry) = entry else { return Some(SkipReason::Unreadable) };
            if self.full() {
                return None;
            }
            let mut path = folder.path.clone();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(entry.filename);
            let bad_name = entry.filename.contains(&b'/') || path.len() > MAX_PATH_BYTES;
            let target = oid(entry.oid.to_owned());
            match entry.mode.kind() {
                // A folder with an overlong path holds nothing but overlong paths.
                EntryKind::Tree if path.len() > MAX_PATH_BYTES => {
                    self.truncated = true;
                    self.push(path, true, target, EntryKind::Tree, 0, Some(SkipReason::Limit));
                }
                EntryKind::Tree => {
                    self.folders += 1;
                    self.path_bytes += path.len();
                    folders.push(Folder { tree: target, path, depth: folder.depth + 1 });
                }
                EntryKind::Commit => {
                    self.push(path, bad_name, target, EntryKind::Commit, 0, Some(SkipReason::Submodule));
                }
                kind => self.file(path, bad_name, target, kind),
            }
        }
        // The stack gives the last one first.
        folders.reverse();
        self.pending.append(&mut folders);
        None
    }

    fn file(&mut self, path: Vec<u8>, bad_name: bool, target: Oid, kind: EntryKind) {
        let (size, skip) = match self.repository.find_header(id(target)) {
            Ok(header) if header.kind() == Kind::Blob => {
                let size = header.size();
                let skip = match kind {
                    EntryKind::Link => Some(SkipReason::Symlink),
                    _ if size > self.limits.max_file_bytes => Some(SkipReason::TooLarge),
                    _ => None,
                };
                (size, skip)
            }
            _ => (0, Some(SkipReason::Unreadable)),
        };
        self.push(path, bad_name, target, kind, size, skip);
    }

    fn push(&mut self, path: Vec<u8>, bad_name: bool, oid: Oid, kind: EntryKind, size: u64, skip: Option<SkipReason>) {
        self.path_bytes += path.len();
        self.entries.push(Raw { path, bad_name, oid, mode: u32::from(mode(kind)), size, skip });
    }
}

/// The mode git writes for a kind; other spellings of it are not kept.
fn mode(kind: EntryKind) -> u16 {
    gix::objs::tree::EntryMode::from(kind).value()
}

/// Gives every entry a path that keeps the rules, and each its own.
fn readable(mut entries: Vec<Raw>) -> Vec<Listed> {
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    let mut used: HashSet<RepoPath> = HashSet::with_capacity(entries.len());
    let mut listed = Vec::with_capacity(entries.len());
    let mut bad = Vec::new();
    for entry in entries {
        match RepoPath::parse(&entry.path) {
            Ok(path) if !entry.bad_name && used.insert(path.clone()) => listed.push(item(path, &entry, entry.skip)),
            _ => bad.push(entry),
        }
    }
    // After the good ones, so that a hostile name cannot take the path of another file.
    for entry in bad {
        let path = lossy(&entry.path, &used);
        used.insert(path.clone());
        let skip = entry.skip.unwrap_or(SkipReason::BadPath);
        listed.push(item(path, &entry, Some(skip)));
    }
    listed.sort_by(|a, b| a.path.cmp(&b.path));
    listed
}

/// The listing of files with these names and sizes, for what has to hold of any names.
#[cfg(any(test, fuzzing))]
pub(crate) fn readable_paths(entries: &[(Vec<u8>, u64)]) -> Vec<Listed> {
    let oid = Oid::from_bytes(&[1; 20]).expect("twenty bytes are an object id");
    let raw = |(path, size): &(Vec<u8>, u64)| Raw {
        path: path.clone(),
        bad_name: path.len() > MAX_PATH_BYTES,
        oid,
        mode: 0o100_644,
        size: *size,
        skip: None,
    };
    readable(entries.iter().map(raw).collect())
}

fn item(path: RepoPath, entry: &Raw, skip: Option<SkipReason>) -> Listed {
    Listed { path, oid: entry.oid, mode: entry.mode, size: entry.size, skip }
}

/// A readable path that nobody has, as near to the bytes as the rules allow.
fn lossy(bytes: &[u8], used: &HashSet<RepoPath>) -> RepoPath {
    let text: String = String::from_utf8_lossy(bytes)
        .chars()
        .take(MAX_LOSSY_CHARS)
        .map(|c| if c.is_control() || c == '\\' { char::REPLACEMENT_CHARACTER } else { c })
        .collect();
    let parts: Vec<String> = text
        .split('/')
        .map(|part| match part {
            "" | "." | ".." => format!("{part}{}", char::REPLACEMENT_CHARACTER),
            _ if part.eq_ignore_ascii_case(".git") => format!("{part}{}", char::REPLACEMENT_CHARACTER),
            _ => part.to_owned(),
        })
        .collect();
    let readable = parts.join("/");
    let digest = blake3::hash(bytes).to_hex();
    let mut attempt = 0_u64;
    loop {
        let candidate = match attempt {
            0 => readable.clone(),
            1 => format!("{readable}~{}", &digest[..8]),
            _ => format!("{readable}~{}-{attempt}", &digest[..8]),
        };
        attempt += 1;
        if let Ok(path) = RepoPath::parse(candidate.as_bytes())
            && !used.contains(&path)
        {
            return path;
        }
    }
}

fn id(oid: Oid) -> gix::ObjectId {
    gix::ObjectId::from_bytes_or_panic(oid.as_bytes())
}

fn oid(id: gix::ObjectId) -> Oid {
    Oid::from_bytes(id.as_bytes()).expect("the mirror is opened with SHA-1 ids, which have twenty bytes")
}

#[cfg(test)]
mod tests {
    use super::{Raw, SkipReason, readable};
    use caffeine_model::Oid;

    fn check(paths: &[&[u8]], expected: &[(&str, bool)]) {
        let entries = paths.iter().map(|path| Raw {
            path: path.to_vec(),
            bad_name: false,
            oid: Oid::from_bytes(&[1; 20]).unwrap(),
            mode: 0o100_644,
            size: 1,
            skip: None,
        });
        let listed = readable(entries.collect());
        let got: Vec<_> =
            listed.iter().map(|file| (file.path.as_str(), file.skip == Some(SkipReason::BadPath))).collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn every_entry_gets_a_path_of_its_own() {
        check(&[b"b", b"a"], &[("a", false), ("b", false)]);
        check(&[b"a/../b"], &[("a/..\u{fffd}/b", true)]);
        check(&[b".git/config"], &[(".git\u{fffd}/config", true)]);
        check(&[b"/x"], &[("\u{fffd}/x", true)]);
        check(&[b""], &[("\u{fffd}", true)]);
        check(&["\u{fffd}".as_bytes(), b"\xff"], &[("\u{fffd}", false), ("\u{fffd}~99d44d37", true)]);
        check(&[b"a", b"a"], &[("a", false), ("a~17762fdd", true)]);
        check(&[b"a\nb"], &[("a\u{fffd}b", true)]);
        check(&[&[b'x'; 5000]], &[(&"x".repeat(200), true)]);
    }
}
