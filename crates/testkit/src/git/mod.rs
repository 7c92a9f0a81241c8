//! Small real git repositories from paths and bytes.
//!
//! They are built by the git program itself, below the commands that check what they are given, so
//! that a test can have what a hostile repository has: names that are not text, links that lead
//! outside, entries a checkout would refuse.

mod command;
mod tree;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use caffeine_servers::git_http::{GitHttpOptions, GitHttpServer};
use tempfile::TempDir;

use command::Git;
use tree::{Leaf, Tree};

/// The branch every fixture begins with.
pub const MAIN: &str = "main";

/// 2026-01-01T00:00:00Z; every commit is a minute after the one before it.
const FIRST_COMMIT_AT: u64 = 1_767_225_600;

/// What a path holds after a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A file.
    File(Vec<u8>),
    /// A file with the executable bit.
    Executable(Vec<u8>),
    /// A symbolic link to the target in these bytes.
    Symlink(Vec<u8>),
    /// A submodule at this commit (40 hexadecimal digits), which exists nowhere.
    Submodule(String),
    /// Nothing any more.
    Removed,
}

impl Entry {
    /// A file with this text or these bytes.
    pub fn file(content: impl Into<Vec<u8>>) -> Self {
        Self::File(content.into())
    }
}

/// A bare repository in a temporary folder, removed with this value.
#[derive(Debug)]
pub struct GitFixture {
    folder: TempDir,
    git: Git,
    branch: String,
    leaves: BTreeMap<Vec<u8>, Leaf>,
    head: Option<String>,
    commits: u64,
}

impl GitFixture {
    /// A repository without a commit.
    pub fn empty() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("repo.git");
        Git::init(&path, MAIN);
        Self { folder, git: Git::at(path), branch: MAIN.to_owned(), leaves: BTreeMap::new(), head: None, commits: 0 }
    }

    /// A repository with one commit of these files.
    pub fn with_files<P, C>(files: impl IntoIterator<Item = (P, C)>) -> Self
    where
        P: AsRef<[u8]>,
        C: Into<Vec<u8>>,
    {
        let mut fixture = Self::empty();
        let changes = files.into_iter().map(|(path, content)| (path, Entry::file(content)));
        fixture.commit("Begin", changes);
        fixture
    }

    /// Commits these changes on top of the branch and returns the commit's id. Paths are bytes with
    /// `/` between the parts; any part is allowed, `..` and `.git` too, but a NUL byte.
    pub fn commit<P>(&mut self, message: &str, changes: impl IntoIterator<Item = (P, Entry)>) -> String
    where
        P: AsRef<[u8]>,
    {
        let changes: Vec<(Vec<u8>, Entry)> =
            changes.into_iter().map(|(path, entry)| (path.as_ref().to_vec(), entry)).collect();
        let contents: Vec<&[u8]> = changes.iter().filter_map(|(_, entry)| content(entry)).collect();
        let mut ids = self.git.write_blobs(&contents).into_iter();
        for (path, entry) in &changes {
            let mut blob = || ids.next().expect("one id per content");
            match entry {
                Entry::File(_) => self.put(path, "100644", blob()),
                Entry::Executable(_) => self.put(path, "100755", blob()),
                Entry::Symlink(_) => self.put(path, "120000", blob()),
                Entry::Submodule(commit) => self.put(path, "160000", commit.clone()),
                Entry::Removed => {
                    self.leaves.remove(path);
                }
            }
        }
        let tree = Tree::of(&self.leaves).write(&self.git);
        self.commit_tree(message, &tree)
    }

    /// Commits a tree whose entries are written as they are given: mode, name and object id, in
    /// this order, even where git would refuse them (a name with a slash, twice the same name).
    /// Later commits go on from the files before it.
    pub fn commit_raw_tree(&mut self, message: &str, entries: &[(&str, &[u8], &str)]) -> String {
        let mut bytes = Vec::new();
        for (mode, name, id) in entries {
            bytes.extend_from_slice(mode.as_bytes());
            bytes.push(b' ');
            bytes.extend_from_slice(name);
            bytes.push(0);
            bytes.extend_from_slice(&hex::decode(id).expect("an object id is hexadecimal"));
        }
        let tree = self.git.write_object("tree", &bytes);
        self.commit_tree(message, &tree)
    }

    /// Stores a blob and returns its id.
    pub fn blob(&self, content: &[u8]) -> String {
        self.git.write_object("blob", content)
    }

    /// The last commit of the branch, `None` before the first.
    pub fn head(&self) -> Option<&str> {
        self.head.as_deref()
    }

    /// Makes a branch at the last commit; later commits go there. What a clone gets by itself stays
    /// the first branch.
    pub fn switch_to_new_branch(&mut self, name: &str) {
        if let Some(head) = &self.head {
            self.git.text(&["update-ref", &format!("refs/heads/{name}"), head]);
        }
        name.clone_into(&mut self.branch);
    }

    /// Puts a tag at the last commit.
    pub fn tag(&self, name: &str) {
        let head = self.head.as_deref().expect("a tag needs a commit");
        self.git.text(&["update-ref", &format!("refs/tags/{name}"), head]);
    }

    /// Runs git in the repository and returns what it printed, without the last line's end.
    pub fn git(&self, arguments: &[&str]) -> String {
        self.git.text(arguments)
    }

    /// The bare repository.
    pub fn path(&self) -> &Path {
        self.git.path()
    }

    /// Serves the repository over HTTP on loopback to anybody.
    pub async fn serve(&self) -> ServedRepo {
        ServedRepo::start(self.folder.path().to_owned(), None).await
    }

    /// Serves the repository to those who bring this user and password.
    pub async fn serve_private(&self, user: &str, password: &str) -> ServedRepo {
        let credentials = (user.to_owned(), password.to_owned());
        ServedRepo::start(self.folder.path().to_owned(), Some(credentials)).await
    }

    fn put(&mut self, path: &[u8], mode: &'static str, id: String) {
        self.leaves.insert(path.to_vec(), Leaf { mode, id });
    }

    fn commit_tree(&mut self, message: &str, tree: &str) -> String {
        let at = FIRST_COMMIT_AT + 60 * self.commits;
        let commit = self.git.commit_tree(tree, self.head.as_deref(), message, at);
        self.git.text(&["update-ref", &format!("refs/heads/{}", self.branch), &commit]);
        self.commits += 1;
        self.head = Some(commit.clone());
        commit
    }
}

fn content(entry: &Entry) -> Option<&[u8]> {
    match entry {
        Entry::File(bytes) | Entry::Executable(bytes) | Entry::Symlink(bytes) => Some(bytes),
        Entry::Submodule(_) | Entry::Removed => None,
    }
}

/// A repository that is served as long as this value lives.
#[derive(Debug)]
pub struct ServedRepo {
    server: GitHttpServer,
}

impl ServedRepo {
    async fn start(root: PathBuf, credentials: Option<(String, String)>) -> Self {
        let options = GitHttpOptions { root, port: 0, credentials };
        let server = GitHttpServer::start_with(options)
            .await
            .unwrap_or_else(|error| panic!("the fixture can be served: {error}"));
        Self { server }
    }

    /// What a user would clone.
    pub fn url(&self) -> String {
        self.server.repo_url("repo.git")
    }

    /// Host and port, as an allow-list takes them.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.server.port())
    }
}
