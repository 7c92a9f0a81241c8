//! `caffeine document`: from a URL or a path to a tree of Markdown.

pub(crate) mod client;
mod export;
mod follow;
mod local;
mod progress;
mod summary;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use caffeine_kit::shutdown_on_signals;
use serde_json::json;

use crate::cli::DocumentArgs;
use crate::document::client::Client;
use crate::embedded::{Embedded, EmbeddedOptions, make_private};

/// Submits the repository, follows its run, exports the documents and prints the summary.
pub(crate) async fn document(args: DocumentArgs) -> anyhow::Result<ExitCode> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    export::check_target(&args.out)?;
    let target = Target::parse(&args.repository)?;
    if let (Some(server), Some(token)) = (&args.server, &args.token) {
        let Target::Url(url) = &target else {
            bail!("{} is a local path: a server can only clone from http:// or https:// addresses", args.repository);
        };
        let client = Client::new(server.clone(), token.clone())?;
        return run(&args, &client, url).await;
    }

    let shutdown = shutdown_on_signals().context("install signal handlers")?;
    let mut embedding = args.embedded.clone();
    let (url, _served) = match target {
        Target::Url(url) => (url, None),
        Target::Local(path) => {
            make_private(&embedding.data)?;
            let served = local::serve(&path, &embedding.data).await?;
            embedding.allow_hosts.push(served.host.clone());
            (served.url.clone(), Some(served))
        }
    };
    let options = EmbeddedOptions { listen: ([127, 0, 0, 1], 0).into(), log: "error", is_private: true };
    eprintln!("Starting, with data in {}", embedding.data.display());
    let embedded = Embedded::start(&embedding, options, shutdown.clone()).await?;
    let client = Client::new(embedded.base.clone(), embedded.token.clone())?;
    let outcome = tokio::select! {
        outcome = run(&args, &client, &url) => outcome,
        () = shutdown.cancelled() => Err(anyhow::anyhow!("interrupted; the next call goes on with the same data")),
    };
    shutdown.cancel();
    let joined = embedded.join().await;
    let code = outcome?;
    joined?;
    Ok(code)
}

async fn run(args: &DocumentArgs, client: &Client, url: &str) -> anyhow::Result<ExitCode> {
    let mut documents = vec![json!({ "writer": "structural" })];
    if let Some(name) = &args.template {
        let template = client.template_id(name).await?;
        documents.push(json!({
            "writer": "template",
            "template_id": template,
            "style": args.style,
            "query": args.query,
        }));
    }
    let submitted = client.submit(url, &args.reference, &documents).await?;
    let finished = follow::follow(client, &submitted.run).await?;
    if finished.is_failure() {
        bail!("{}", finished.failure());
    }
    let exported = export::export(client, &submitted, &args.out).await?;
    print!("{}", summary::table(&finished, &exported, &args.out));
    for notice in &exported.notices {
        println!("Note: {notice}");
    }
    Ok(ExitCode::SUCCESS)
}

/// What the command line names.
enum Target {
    Url(String),
    Local(PathBuf),
}

impl Target {
    /// An address if it looks like one, else the path of an existing repository.
    fn parse(text: &str) -> anyhow::Result<Self> {
        if text.contains("://") {
            return Ok(Self::Url(text.to_owned()));
        }
        let path = Path::new(text);
        if !path.exists() && text.contains('@') && text.contains(':') {
            bail!("{text} looks like an SSH address, which is not supported: use the https:// address");
        }
        if !path.exists() {
            bail!("{text} is neither an http:// or https:// address nor an existing directory");
        }
        let path = path.canonicalize().with_context(|| format!("resolve {text}"))?;
        let is_repository = path.join(".git").exists() || (path.join("HEAD").exists() && path.join("objects").exists());
        if !is_repository {
            bail!("{} is not a git repository: give its top directory", path.display());
        }
        Ok(Self::Local(path))
    }
}

#[cfg(test)]
mod tests {
    use super::Target;

    #[test]
    fn what_is_no_repository_is_refused_with_a_sentence() {
        let folder = std::env::temp_dir();
        for (text, expected) in
            [("no/such/folder", "neither an http://"), (folder.to_str().unwrap(), "not a git repository")]
        {
            let error = Target::parse(text).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(expected), "{text}: {error}");
        }
        assert!(matches!(Target::parse("https://host/repo.git"), Ok(Target::Url(_))));
    }
}
