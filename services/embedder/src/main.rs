//! The embedder as a program of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    caffeine_kit::main::<caffeine_embedder::EmbedderService>()
}
