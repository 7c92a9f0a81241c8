//! Writes the Rust code of `proto/caffeine/v1` to `crates/contract/src/gen`, or checks that it is up to date.
//!
//! A program of its own, because the contract crate cannot regenerate itself once a change of the wire format keeps
//! it from compiling. It needs no `protoc`: the compiler is a library.
//!
//! ```text
//! caffeine-codegen            write the files
//! caffeine-codegen --check    exit 1 if they differ from the .proto files
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

const FILE: &str = "caffeine.v1.rs";

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let generated = generate(&root.join("proto"))?;
    let committed = root.join("crates/contract/src/gen").join(FILE);
    if std::env::args().any(|argument| argument == "--check") {
        let current = fs::read_to_string(&committed).with_context(|| format!("read {}", committed.display()))?;
        if current != generated {
            bail!("{} does not match proto/: run `make generate`", committed.display());
        }
        return Ok(());
    }
    fs::write(&committed, generated).with_context(|| format!("write {}", committed.display()))
}

fn generate(proto: &Path) -> Result<String> {
    let mut files: Vec<PathBuf> = fs::read_dir(proto.join("caffeine/v1"))
        .context("list the .proto files")?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.sort();
    let descriptors = protox::compile(&files, [proto])?;
    let out = tempfile::tempdir()?;
    prost_build::Config::new().bytes(["."]).out_dir(out.path()).compile_fds(descriptors)?;
    fs::read_to_string(out.path().join(FILE)).context("read the generated code")
}
