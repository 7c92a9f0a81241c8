//! The git program, without the settings of the person who runs the tests.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const NAME: &str = "Ada Example";
const EMAIL: &str = "ada@example.org";

/// Git in one repository.
#[derive(Debug)]
pub(super) struct Git {
    path: PathBuf,
}

impl Git {
    /// Makes a bare repository with this branch as its first.
    pub(super) fn init(path: &Path, branch: &str) {
        let mut command = isolated();
        command.args(["init", "--quiet", "--bare", "--initial-branch", branch]).arg(path);
        run(&mut command, &[]);
    }

    pub(super) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What git printed, without the last line's end.
    pub(super) fn text(&self, arguments: &[&str]) -> String {
        self.text_of(arguments, &[])
    }

    /// The same with something on git's standard input.
    pub(super) fn text_of(&self, arguments: &[&str], input: &[u8]) -> String {
        let output = run(self.command().args(arguments), input);
        String::from_utf8_lossy(&output).trim_end().to_owned()
    }

    /// Stores an object without looking at it.
    pub(super) fn write_object(&self, kind: &str, bytes: &[u8]) -> String {
        self.text_of(&["hash-object", "-w", "--literally", "--stdin", "-t", kind], bytes)
    }

    /// Stores any number of blobs with one process and returns their ids.
    pub(super) fn write_blobs(&self, contents: &[&[u8]]) -> Vec<String> {
        if contents.is_empty() {
            return Vec::new();
        }
        let mut stream = Vec::new();
        for (position, content) in contents.iter().enumerate() {
            let head = format!("blob\nmark :{}\ndata {}\n", position + 1, content.len());
            stream.extend_from_slice(head.as_bytes());
            stream.extend_from_slice(content);
            stream.push(b'\n');
        }
        let marks = tempfile::NamedTempFile::new().expect("a temporary file can be made");
        let mut export = std::ffi::OsString::from("--export-marks=");
        export.push(marks.path());
        run(self.command().args(["fast-import", "--quiet"]).arg(export), &stream);

        let listing = std::fs::read_to_string(marks.path()).expect("git wrote the ids");
        let mut ids = vec![String::new(); contents.len()];
        for line in listing.lines() {
            let (mark, id) = line.split_once(' ').expect("a line is a mark and an id");
            let position: usize = mark.trim_start_matches(':').parse().expect("a mark is a number");
            id.clone_into(&mut ids[position - 1]);
        }
        ids
    }

    /// Writes a commit at a fixed time by a fixed author, so that its id is always the same.
    pub(super) fn commit_tree(&self, tree: &str, parent: Option<&str>, message: &str, at: u64) -> String {
        let mut command = self.command();
        command.args(["commit-tree", tree, "-F", "-"]);
        if let Some(parent) = parent {
            command.args(["-p", parent]);
        }
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), NAME);
            command.env(format!("GIT_{role}_EMAIL"), EMAIL);
            command.env(format!("GIT_{role}_DATE"), format!("{at} +0000"));
        }
        String::from_utf8_lossy(&run(&mut command, message.as_bytes())).trim_end().to_owned()
    }

    fn command(&self) -> Command {
        let mut command = isolated();
        command.arg("--git-dir").arg(&self.path);
        command
    }
}

fn isolated() -> Command {
    let mut command = Command::new("git");
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("LC_ALL", "C")
        .env("HOME", "/nonexistent")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null");
    command
}

fn run(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("the tests need git on the PATH: {error}"));
    let mut stdin = child.stdin.take().expect("standard input was asked for");
    // Beside the reading, or both sides wait when the answer is longer than a pipe.
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            // A git that ended early is reported by its status.
            let _ = stdin.write_all(input);
        });
        child.wait_with_output().expect("git can be waited for")
    });
    let mut said = String::new();
    let _ = write!(said, "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    output.stdout
}
