//! `caffeine cancel` and `caffeine delete`: ends what a running installation works on.

use std::process::ExitCode;

use crate::cli::{CancelArgs, DeleteArgs, ServerArgs};
use crate::document::client::Client;

/// Cancels a run.
pub(crate) async fn cancel(args: CancelArgs) -> anyhow::Result<ExitCode> {
    client(args.server)?.cancel(args.run).await?;
    println!("The run {} is cancelled.", args.run);
    Ok(ExitCode::SUCCESS)
}

/// Deletes a repository.
pub(crate) async fn delete(args: DeleteArgs) -> anyhow::Result<ExitCode> {
    client(args.server)?.delete(args.repository).await?;
    println!("The repository {} is being deleted.", args.repository);
    Ok(ExitCode::SUCCESS)
}

fn client(args: ServerArgs) -> anyhow::Result<Client> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::new(args.server, args.token)
}
