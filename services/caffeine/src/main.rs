//! All of CaffeineCode in one program: the services, the embedded mode and the command line.
//!
//! Purpose: the first five minutes (`caffeine document <url>`), one server without containers (`caffeine up`), and the
//! same services as the separate binaries (`caffeine serve`).
//!
//! Non-goals: no short-cut around the bus. In one process, too, work travels through JetStream.

mod audit;
mod cli;
mod credential_key;
mod dlq;
mod doctor;
mod document;
mod embedded;
mod endings;
mod gauges;
mod housekeeper;
mod identities;
mod operate;
mod roles;
mod session_keys;
mod settler;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command};

/// Linking takes hundreds of megabytes for a large snapshot; this allocator gives them back, the C library's keeps them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("caffeine: start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(async {
        match cli.command {
            Command::Up(args) => operate::up(args).await,
            Command::Serve(args) => operate::serve(&args.roles).await,
            Command::Document(args) => document::document(*args).await,
            Command::Cancel(args) => endings::cancel(args).await,
            Command::Delete(args) => endings::delete(args).await,
            Command::Migrate(args) => operate::migrate(args.roles.as_deref()).await,
            Command::Users(args) => operate::users(&args.folder),
            Command::Provision(args) => operate::provision(args.profile).await,
            Command::Dlq(args) => dlq::dlq(args).await,
            Command::CredentialKey(args) => credential_key::credential_key(&args.file),
            Command::SessionKeys(args) => session_keys::session_keys(&args),
            Command::Audit => audit::audit().await,
            Command::Doctor => doctor::doctor().await,
        }
    });
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("caffeine: {error:#}");
            ExitCode::FAILURE
        }
    }
}
