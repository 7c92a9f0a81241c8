//! The plan in the database.

use caffeine_cloner::mirror::Listed;
use caffeine_cloner::plan::{cut, entries};
use caffeine_model::{Lane, Oid, RepoPath, RunId, WorkspaceId};
use caffeine_store::cloner::StoredPlan;
use caffeine_store::{InboxTable, StoreError};

use crate::support::Records;

fn oid(byte: u8) -> Oid {
    Oid::from_bytes(&[byte; 20]).unwrap()
}

fn listed(files: &[(&str, u8)]) -> Vec<Listed> {
    let listed = files.iter().map(|(path, content)| Listed {
        path: RepoPath::parse(path.as_bytes()).unwrap(),
        oid: oid(*content),
        mode: 0o100_644,
        size: 100,
        skip: None,
    });
    listed.collect()
}

async fn pin(records: &Records, run: RunId, commit: u8, files: &[(&str, u8)]) -> Result<StoredPlan, StoreError> {
    let snapshot = records.snapshot(run, oid(commit));
    let files = entries(records.repository, &listed(files));
    records.store.pin_snapshot(Records::work(run), &snapshot, files, cut).await
}

#[tokio::test]
async fn the_first_plan_stays() {
    let records = Records::new().await;
    let run = records.run().await;
    assert_eq!(records.store.clone_plan(records.workspace, run).await.unwrap(), None);

    let plan = pin(&records, run, 1, &[("a", 1), ("b", 2)]).await.unwrap();
    assert_eq!((plan.commit, plan.totals.files, plan.totals.batches), (oid(1), 2, 1));
    assert_eq!(plan.totals.lane, Lane::Interactive);
    let entry = records.store.inbox_entry(InboxTable::Clone, Records::work(run)).await.unwrap();
    assert_eq!(entry.outcome.as_deref(), Some("done"));

    // Another commit has been pushed, and some of the files are known: the plan does not change.
    records.analyse_and_embed(run).await;
    assert_eq!(pin(&records, run, 9, &[("c", 3)]).await.unwrap(), plan);
    assert_eq!(records.store.clone_plan(records.workspace, run).await.unwrap().as_ref(), Some(&plan));
    let files = records.store.planned_files(records.workspace, run).await.unwrap();
    let paths: Vec<_> = files.iter().map(|file| (file.batch, file.path.as_str(), file.oid, file.size)).collect();
    assert_eq!(paths, [(0, "a", oid(1), 100), (0, "b", oid(2), 100)]);
}

#[tokio::test]
async fn two_cloners_get_one_plan() {
    let records = Records::new().await;
    let run = records.run().await;
    let (one, two) = tokio::join!(pin(&records, run, 1, &[("a", 1)]), pin(&records, run, 2, &[("a", 2), ("b", 2)]));
    assert_eq!(one.unwrap(), two.unwrap());
}

#[tokio::test]
async fn only_what_is_not_known_travels() {
    let records = Records::new().await;
    let first = records.run().await;
    pin(&records, first, 1, &[("a", 1), ("b", 2)]).await.unwrap();
    records.analyse_and_embed(first).await;

    let same = records.run().await;
    let plan = pin(&records, same, 1, &[("a", 1), ("b", 2)]).await.unwrap();
    assert_eq!((plan.totals.known, plan.totals.batches), (2, 0));
    assert!(records.store.planned_files(records.workspace, same).await.unwrap().is_empty());

    let changed = records.run().await;
    let plan = pin(&records, changed, 2, &[("a", 1), ("b", 3)]).await.unwrap();
    assert_eq!((plan.totals.known, plan.totals.batches, plan.totals.bytes), (1, 1, 100));
    let files = records.store.planned_files(records.workspace, changed).await.unwrap();
    assert_eq!(files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["b"]);

    // Half of what makes a version known is not enough, nor is another model or analyser.
    for statement in ["DELETE FROM embedded_versions", "UPDATE embedded_versions SET model = 'm2'"] {
        sqlx::query(statement).execute(records.database.pool()).await.unwrap();
        let run = records.run().await;
        assert_eq!(pin(&records, run, 1, &[("a", 1)]).await.unwrap().totals.known, 0, "{statement}");
        sqlx::query("DELETE FROM file_versions").execute(records.database.pool()).await.unwrap();
        records.analyse_and_embed(run).await;
    }
}

#[tokio::test]
async fn a_large_plan_with_every_kind_of_row() {
    let records = Records::new().await;
    let run = records.run().await;
    let names: Vec<String> = (0..9_000).map(|number| format!("dir/{number:05}")).collect();
    let files: Vec<(&str, u8)> = names.iter().map(|name| (name.as_str(), 1)).collect();
    let mut listed = listed(&files);
    listed[0].skip = Some(caffeine_cloner::mirror::SkipReason::Symlink);
    let snapshot = records.snapshot(run, oid(1));
    let entries = entries(records.repository, &listed);
    let plan = records.store.pin_snapshot(Records::work(run), &snapshot, entries, cut).await.unwrap();
    assert_eq!((plan.totals.files, plan.totals.skipped, plan.totals.lane), (9_000, 1, Lane::Bulk));
    let planned = records.store.planned_files(records.workspace, run).await.unwrap();
    assert_eq!(planned.len(), 8_999);
    assert!(planned.is_sorted_by_key(|file| (file.batch, file.path.clone())));
    assert_eq!(planned.last().unwrap().batch + 1, plan.totals.batches);
}

#[tokio::test]
async fn an_empty_plan_is_a_plan() {
    let records = Records::new().await;
    let run = records.run().await;
    let plan = pin(&records, run, 0, &[]).await.unwrap();
    assert_eq!((plan.totals.files, plan.totals.batches), (0, 0));
}

#[tokio::test]
async fn a_run_that_is_gone_or_foreign() {
    let records = Records::new().await;
    let error = pin(&records, RunId::generate(), 1, &[("a", 1)]).await.unwrap_err();
    assert!(matches!(error, StoreError::ReferenceGone(_)), "{error:?}");

    let run = records.run().await;
    let mut snapshot = records.snapshot(run, oid(1));
    snapshot.workspace = WorkspaceId::generate();
    let error = records.store.pin_snapshot(Records::work(run), &snapshot, Vec::new(), cut).await.unwrap_err();
    assert!(matches!(error, StoreError::ReferenceGone(_)), "{error:?}");

    pin(&records, run, 1, &[("a", 1)]).await.unwrap();
    assert_eq!(records.store.clone_plan(WorkspaceId::generate(), run).await.unwrap(), None);
    assert!(records.store.planned_files(WorkspaceId::generate(), run).await.unwrap().is_empty());
}

#[tokio::test]
async fn hostile_dates_are_stored() {
    let records = Records::new().await;
    for committed_at in [i64::MIN, -1, i64::MAX] {
        let run = records.run().await;
        let snapshot = caffeine_store::cloner::NewSnapshot { committed_at, ..records.snapshot(run, oid(1)) };
        records.store.pin_snapshot(Records::work(run), &snapshot, Vec::new(), cut).await.unwrap();
    }
}

#[tokio::test]
async fn a_rejection_is_remembered() {
    let records = Records::new().await;
    let run = records.run().await;
    let work = Records::work(run);
    for _ in 0..2 {
        records.store.reject_clone(work, records.workspace, run, "not_git: It is not git.").await.unwrap();
        let entry = records.store.inbox_entry(InboxTable::Clone, work).await.unwrap();
        assert_eq!(entry.outcome.as_deref(), Some("rejected"));
        assert_eq!(entry.detail.as_deref(), Some("not_git: It is not git."));
    }
}
