use caffeine_bus::{Failure, InboxError, Prior};
use caffeine_kit::{store_failure, store_inbox};
use caffeine_model::{Generation, RunId, WorkId, WorkspaceId};
use caffeine_store::{InboxTable, Store};
use caffeine_testkit::TestDatabase;

/// A run, as the gateway writes it.
async fn insert_run(database: &TestDatabase) -> (RunId, WorkspaceId) {
    let (run, workspace) = (RunId::generate(), WorkspaceId::generate());
    let insert = "WITH workspace AS (INSERT INTO workspaces (workspace_id, name) VALUES ($1, $1::text)),
             repository AS (INSERT INTO repositories (repository_id, workspace_id, name, url) VALUES ($1, $1, 'r', 'u'))
         INSERT INTO runs (run_id, workspace_id, repository_id, ref, state, analyser, embedding_model)
         VALUES ($2, $1, $1, '', 'pending', 'a', 'm')";
    sqlx::query(insert).bind(workspace.as_uuid()).bind(run.as_uuid()).execute(database.pool()).await.unwrap();
    (run, workspace)
}

#[tokio::test]
async fn work_of_a_run_that_is_gone_is_cancelled() {
    let database = TestDatabase::create().await;
    let store = Store::connect(database.url(), 2, "test").await.unwrap();
    for table in [InboxTable::Clone, InboxTable::Chunk, InboxTable::Embed, InboxTable::Document] {
        let inbox = store_inbox(store.clone(), table);
        let (run, workspace) = insert_run(&database).await;
        let work = WorkId::derive(run, "files.batch", "1");
        assert_eq!(inbox.count_attempt(work, workspace, run, "first").await.unwrap(), 1);
        let delete = "DELETE FROM repositories WHERE repository_id = $1";
        sqlx::query(delete).bind(workspace.as_uuid()).execute(database.pool()).await.unwrap();
        let nothing = Prior { crashes: 1, ..Prior::default() };
        assert_eq!(inbox.prior(work).await.unwrap(), nothing, "{table:?} keeps nothing of it");
        let error = inbox.count_attempt(work, workspace, run, "second").await.unwrap_err();
        assert!(matches!(error, InboxError::Gone), "{table:?}: {error:?}");
        let error = inbox.delivery_started(work, workspace, run).await.unwrap_err();
        assert!(matches!(error, InboxError::Gone), "{table:?}: {error:?}");
    }
}

#[tokio::test]
async fn attempts_and_silent_deaths_are_counted_apart() {
    let database = TestDatabase::create().await;
    let store = Store::connect(database.url(), 2, "test").await.unwrap();
    for table in [InboxTable::Clone, InboxTable::Chunk, InboxTable::Embed, InboxTable::Document] {
        let inbox = store_inbox(store.clone(), table);
        let (run, workspace) = insert_run(&database).await;
        let work = WorkId::derive(run, "files.batch", "1");
        let crashes = async |work| inbox.prior(work).await.unwrap().crashes;
        assert_eq!(crashes(work).await, 1, "{table:?}: if it was delivered before, that delivery left no word");
        for died in 2..5 {
            inbox.delivery_started(work, workspace, run).await.unwrap();
            assert_eq!(crashes(work).await, died, "{table:?}");
        }
        inbox.delivery_ended(work, workspace, run).await.unwrap();
        assert_eq!(crashes(work).await, 0, "{table:?}");

        inbox.delivery_started(work, workspace, run).await.unwrap();
        assert_eq!(inbox.count_attempt(work, workspace, run, "first").await.unwrap(), 1);
        assert_eq!(crashes(work).await, 0, "{table:?}: a counted attempt is a word");
        assert_eq!(inbox.count_attempt(work, workspace, run, "second").await.unwrap(), 2);
        let expected = Prior { attempts: 2, ..Prior::default() };
        assert_eq!(inbox.prior(work).await.unwrap(), expected);
        // The first delivery writes nothing when it begins, so its end in life must be known.
        let second = WorkId::derive(run, "files.batch", "2");
        inbox.delivery_ended(second, workspace, run).await.unwrap();
        assert_eq!(crashes(second).await, 0, "{table:?}");
        inbox.forget_rejection(second, Generation(1)).await.unwrap();
        assert_eq!(inbox.prior(second).await.unwrap(), Prior::default(), "{table:?}: nothing was rejected");
    }
}

#[tokio::test]
async fn an_outage_is_nobodys_fault() {
    let database = TestDatabase::create().await;
    let store = Store::connect(database.url(), 1, "test").await.unwrap();
    store.close().await;
    let error = store.ping().await.unwrap_err();
    assert!(matches!(store_failure(error), Failure::HandBack { .. }));
    let inbox = store_inbox(store, InboxTable::Chunk);
    assert!(inbox.prior(WorkId::derive(RunId::generate(), "files.batch", "1")).await.is_err());
}
