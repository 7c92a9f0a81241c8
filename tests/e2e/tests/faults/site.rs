//! Three repositories, one bigger and two small, that every seed finds at addresses of its own.
//!
//! The content is always the same, so that its rows are known; the addresses are new, so that nothing is known yet and
//! all of it is done again.

use std::os::unix::fs::symlink;

use caffeine_servers::git_http::GitHttpServer;
use caffeine_testkit::git::GitFixture;
use tempfile::TempDir;

/// The names of the repositories; the first is the big one.
pub(crate) const NAMES: [&str; 3] = ["big", "small-a", "small-b"];

/// Batches that the big repository is sent in.
pub(crate) const BIG_BATCHES: usize = 5;

/// The fixtures, served.
pub(crate) struct Site {
    server: GitHttpServer,
    root: TempDir,
    fixtures: Vec<GitFixture>,
    addresses: u32,
}

impl Site {
    pub(crate) async fn start() -> Self {
        let root = tempfile::tempdir().expect("a temporary folder can be made");
        let server = GitHttpServer::start(root.path().to_owned()).await.expect("the fixtures can be served");
        Self { server, root, fixtures: vec![big(), small_a(), small_b()], addresses: 0 }
    }

    /// Host and port, as an allow-list takes them.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.server.port())
    }

    /// The address of a repository in a folder of its own.
    pub(crate) fn address_of(&mut self, name: &str, fixture: &GitFixture) -> String {
        self.addresses += 1;
        let folder = self.root.path().join(self.addresses.to_string());
        std::fs::create_dir(&folder).expect("a folder can be made");
        symlink(fixture.path(), folder.join(format!("{name}.git"))).expect("a link can be made");
        self.server.repo_url(&format!("{}/{name}.git", self.addresses))
    }

    /// An address that no run has had, for each of the repositories.
    pub(crate) fn fresh(&mut self) -> [(&'static str, String); 3] {
        let fixtures = std::mem::take(&mut self.fixtures);
        let mut each = fixtures.iter();
        let fresh = NAMES.map(|name| (name, self.address_of(name, each.next().expect("there is one for each name"))));
        self.fixtures = fixtures;
        fresh
    }
}

/// Several batches: files that nothing compresses fill them and cost no analysis.
fn big() -> GitFixture {
    let mut files: Vec<(String, Vec<u8>)> = vec![
        ("Cargo.toml".to_owned(), b"[package]\nname = \"big\"\nversion = \"1.0.0\"\ndescription = \"Much.\"\n".to_vec()),
        ("README.md".to_owned(), b"# Big\n\nIt has several batches.\n".to_vec()),
        ("src/lib.rs".to_owned(), b"//! Adds.\n\nmod part_0;\n\n/// Adds two numbers.\npub fn add(a: u32, b: u32) -> u32 {\n    part_0::one(a) + b\n}\n".to_vec()),
    ];
    for number in 0..BIG_BATCHES {
        let text = format!("/// Part {number}.\npub fn one(a: u32) -> u32 {{\n    a + {number}\n}}\n");
        files.push((format!("src/part_{number}.rs"), text.into_bytes()));
        files.push((format!("data/{number}.bin"), noise(number)));
    }
    GitFixture::with_files(files)
}

/// Bytes that look like nothing and are the same each time; most of a batch.
fn noise(seed: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ seed as u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    // The first byte tells every reader that this is no text.
    std::iter::once(0).chain(words.take(600 * 1024 / 8).flatten()).collect()
}

fn small_a() -> GitFixture {
    GitFixture::with_files([
        ("README.md", "# Small A\n\nPython.\n"),
        (
            "run.py",
            "\"\"\"Runs things.\"\"\"\nfrom lib import text\n\n\ndef run(name: str) -> int:\n    \"\"\"Run it by name.\"\"\"\n    return len(text.join(name))\n",
        ),
        ("lib/text.py", "def join(name: str) -> str:\n    \"\"\"Join.\"\"\"\n    return name + name\n"),
    ])
}

fn small_b() -> GitFixture {
    GitFixture::with_files([
        ("package.json", "{ \"name\": \"small-b\", \"version\": \"2.0.0\" }\n"),
        (
            "src/index.ts",
            "import { twice } from './twice';\n\n/** Greets. */\nexport function greet(name: string): string {\n  return twice(name);\n}\n",
        ),
        (
            "src/twice.ts",
            "/** Says it twice. */\nexport function twice(name: string): string {\n  return name + name;\n}\n",
        ),
    ])
}
