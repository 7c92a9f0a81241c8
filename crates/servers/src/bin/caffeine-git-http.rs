//! Serves the git repositories below a folder over HTTP on loopback until it is told to stop.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use caffeine_servers::git_http::{GitHttpOptions, GitHttpServer};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

/// Serve the git repositories below a folder over HTTP on 127.0.0.1.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Every repository below this folder is served, at its path.
    root: PathBuf,
    /// The port; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut terminate = signal(SignalKind::terminate()).context("watch for SIGTERM")?;
    let options = GitHttpOptions { root: arguments.root, port: arguments.port, credentials: None };
    let server = GitHttpServer::start_with(options).await.context("start the git server")?;
    // A script reads the address from a pipe.
    let mut out = std::io::stdout();
    writeln!(out, "{}", server.url()).and_then(|()| out.flush()).context("print the address")?;
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted.context("watch for Ctrl-C")?,
    }
    Ok(())
}
