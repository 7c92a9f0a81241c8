//! `caffeine audit`: whether the audit log is what was written.

use std::process::ExitCode;

use caffeine_contract::Service as Name;
use caffeine_kit::Configuration;
use caffeine_store::Store;

/// Recomputes the chain of every workspace; the exit code is 1 if one is broken.
pub(crate) async fn audit() -> anyhow::Result<ExitCode> {
    let settings = Configuration::from_process(None)?.settings_of(Name::Gateway)?;
    let store = Store::connect(settings.require_database_url()?, 1, "caffeine audit").await?;
    let mut code = ExitCode::SUCCESS;
    for (workspace, name) in store.workspaces().await? {
        let check = store.check_audit(workspace).await?;
        match check.broken_at {
            None => println!("ok       {name}: {} entries in an unbroken chain", check.entries),
            Some(place) => {
                println!("PROBLEM  {name}: entry {place} is missing or is not what was written; those before it are");
                code = ExitCode::FAILURE;
            }
        }
    }
    store.close().await;
    Ok(code)
}
