//! What the tests share: a fetcher with a folder of its own, web servers that are no git servers, and a run.

use std::path::PathBuf;
use std::sync::Arc;

use caffeine_cloner::mirror::{Listed, SkipReason};
use caffeine_cloner::source::{Credential, HostPort};
use caffeine_cloner::{CloneError, ClonerConfig, Fetcher, Obtained, Source};
use caffeine_model::{Oid, RepositoryId, RunId, WorkId, WorkspaceId};
use caffeine_sealed::Secret;
use caffeine_store::Store;
use caffeine_store::cloner::NewSnapshot;
use caffeine_testkit::TestDatabase;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A cloner's disk and settings.
pub(crate) struct Desk {
    pub(crate) folder: TempDir,
    pub(crate) workspace: WorkspaceId,
    pub(crate) config: ClonerConfig,
}

impl Desk {
    /// A cloner that may reach these hosts.
    pub(crate) fn new<H: Into<String>>(allow_hosts: impl IntoIterator<Item = H>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = ClonerConfig {
            data_dir: folder.path().to_owned(),
            allow_hosts: allow_hosts.into_iter().map(Into::into).collect(),
            ..ClonerConfig::default()
        };
        Self { folder, workspace: WorkspaceId::generate(), config }
    }

    /// A repository that anybody may read, in the desk's workspace.
    pub(crate) fn source(&self, url: &str) -> Source {
        Source::open(self.workspace, url)
    }

    /// The same behind a credential for this host.
    pub(crate) fn locked(&self, url: &str, host: &str, secret: Secret) -> Source {
        let credential = Credential::new(HostPort::parse(host).unwrap(), secret);
        Source { credential: Some(Arc::new(credential)), ..self.source(url) }
    }

    pub(crate) async fn obtain_from(&self, source: &Source) -> Result<Obtained, CloneError> {
        self.fetcher().obtain(source, "", &CancellationToken::new()).await
    }

    pub(crate) fn fetcher(&self) -> Fetcher {
        Fetcher::new(self.config.clone()).unwrap()
    }

    pub(crate) async fn obtain(&self, url: &str, reference: &str) -> Result<Obtained, CloneError> {
        self.fetcher().obtain(&self.source(url), reference, &CancellationToken::new()).await
    }

    /// The sentence that a refusal says, after checking its word.
    pub(crate) async fn refused(&self, url: &str, reference: &str, expected: &str) -> String {
        match self.obtain(url, reference).await {
            Err(CloneError::Refused { code, reason }) => {
                assert_eq!(code, expected, "{reason}");
                assert!(reason.contains(": ") || reason.contains("not supported"), "says what to do: {reason}");
                reason
            }
            other => panic!("{url} should be refused as {expected}: {other:?}"),
        }
    }

    /// The folder of the only mirror.
    pub(crate) fn mirror(&self) -> PathBuf {
        let mirrors = std::fs::read_dir(self.folder.path().join("mirrors")).unwrap();
        mirrors.flatten().map(|entry| entry.path()).find(|path| path.is_dir()).unwrap()
    }

    /// Removes everything that was fetched, as a lost disk does.
    pub(crate) fn lose_disk(&self) {
        std::fs::remove_dir_all(self.folder.path().join("mirrors")).unwrap();
    }
}

/// The path, size and skip reason of each entry.
pub(crate) fn summary(files: &[Listed]) -> Vec<(&str, u64, Option<&'static str>)> {
    files.iter().map(|file| (file.path.as_str(), file.size, file.skip.map(SkipReason::as_str))).collect()
}

/// The contents of all files that travel, by path.
pub(crate) fn contents(obtained: &Obtained) -> Vec<(String, Vec<u8>)> {
    let blobs = obtained.mirror.blobs(1 << 20).unwrap();
    let reader = blobs.reader();
    let travelling = obtained.listing.files.iter().filter(|file| file.skip.is_none());
    travelling.map(|file| (file.path.to_string(), reader.read(file.oid, file.size).unwrap())).collect()
}

/// Bytes that no packer makes smaller.
pub(crate) fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..bytes).map(|_| next()).collect()
}

/// A web server that gives every request the same answer. Ends with the test's runtime.
pub(crate) async fn web_server(answer: impl Into<String>) -> String {
    let answer = answer.into();
    web_server_at(|_| answer).await
}

/// The same, with an answer that depends on the server's own host and port.
pub(crate) async fn web_server_at(answer: impl FnOnce(&str) -> String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let answer = answer(&host);
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _ = connection.read(&mut request).await;
                let _ = connection.write_all(answer.as_bytes()).await;
                let _ = connection.shutdown().await;
            });
        }
    });
    host
}

/// An answer with this status line, headers and body.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

/// A redirect of git's first question to another repository.
pub(crate) fn redirect(to: &str) -> String {
    answer("302 Found", &format!("Location: {to}/info/refs?service=git-upload-pack\r\n"), "")
}

/// A database with one repository.
pub(crate) struct Records {
    pub(crate) database: TestDatabase,
    pub(crate) store: Store,
    pub(crate) workspace: WorkspaceId,
    pub(crate) repository: RepositoryId,
}

impl Records {
    pub(crate) async fn new() -> Self {
        let database = TestDatabase::create().await;
        let store = Store::connect(database.url(), 4, "test").await.unwrap();
        let (workspace, repository) = (WorkspaceId::generate(), RepositoryId::generate());
        let insert = "WITH workspace AS (INSERT INTO workspaces (workspace_id, name) VALUES ($1, 'w'))
             INSERT INTO repositories (repository_id, workspace_id, name, url) VALUES ($2, $1, 'r', 'https://h/r')";
        sqlx::query(insert)
            .bind(workspace.as_uuid())
            .bind(repository.as_uuid())
            .execute(database.pool())
            .await
            .unwrap();
        Self { database, store, workspace, repository }
    }

    /// A run that begins, and ends the ones before it.
    pub(crate) async fn run(&self) -> RunId {
        let run = RunId::generate();
        sqlx::query("UPDATE runs SET state = 'completed'").execute(self.database.pool()).await.unwrap();
        let insert = "INSERT INTO runs (run_id, workspace_id, repository_id, ref, state, analyser, embedding_model)
             VALUES ($1, $2, $3, '', 'pending', 'a1', 'm1')";
        sqlx::query(insert)
            .bind(run.as_uuid())
            .bind(self.workspace.as_uuid())
            .bind(self.repository.as_uuid())
            .execute(self.database.pool())
            .await
            .unwrap();
        run
    }

    /// What other services do with the files that travelled in a run.
    pub(crate) async fn analyse_and_embed(&self, run: RunId) {
        let analyse = "INSERT INTO file_versions (file_version_id, analyser, workspace_id, repository_id, path, oid,
                 language, category, encoding, lines, source_lines, parse_quality)
             SELECT file_version_id, 'a1', workspace_id, repository_id, path, oid, 'text', 'source', 'utf-8', 1, 1, 'full'
             FROM snapshot_files WHERE run_id = $1 AND batch IS NOT NULL";
        let embed =
            "INSERT INTO embedded_versions (file_version_id, analyser, model, workspace_id, repository_id, chunks)
             SELECT file_version_id, 'a1', 'm1', workspace_id, repository_id, 1
             FROM snapshot_files WHERE run_id = $1 AND batch IS NOT NULL";
        for statement in [analyse, embed] {
            sqlx::query(statement).bind(run.as_uuid()).execute(self.database.pool()).await.unwrap();
        }
    }

    /// Every row of the cloner for a run, as text.
    pub(crate) async fn dump(&self, run: RunId) -> Vec<String> {
        let statement = "SELECT to_jsonb(s)::text FROM snapshots s WHERE run_id = $1
             UNION ALL SELECT to_jsonb(f)::text FROM snapshot_files f WHERE run_id = $1
             UNION ALL SELECT to_jsonb(r)::text FROM clone_runs r WHERE run_id = $1
             UNION ALL SELECT (to_jsonb(i) - 'updated_at')::text FROM clone_inbox i WHERE run_id = $1
             ORDER BY 1";
        sqlx::query_scalar(statement).bind(run.as_uuid()).fetch_all(self.database.pool()).await.unwrap()
    }

    pub(crate) fn snapshot(&self, run: RunId, commit: Oid) -> NewSnapshot {
        NewSnapshot {
            workspace: self.workspace,
            repository: self.repository,
            run,
            analyser: "a1".to_owned(),
            embedding_model: "m1".to_owned(),
            git_ref: "refs/heads/main".to_owned(),
            commit,
            tree: commit,
            committed_at: 1_700_000_000,
            truncated: false,
        }
    }

    pub(crate) fn work(run: RunId) -> WorkId {
        WorkId::derive(run, "clone.requested", "")
    }
}
