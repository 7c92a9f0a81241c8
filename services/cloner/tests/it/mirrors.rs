//! The cache of mirrors: used, shared, lost and damaged.

use caffeine_cloner::mirror::Mirror;
use caffeine_cloner::source::Location;
use caffeine_cloner::{CloneError, Source};
use caffeine_model::{Oid, WorkspaceId};
use caffeine_testkit::git::{Entry, GitFixture};
use tokio_util::sync::CancellationToken;

use crate::support::{Desk, contents, noise, summary};

#[tokio::test(flavor = "multi_thread")]
async fn a_second_fetch_brings_only_the_change() {
    let noise: Vec<u8> = (0..400_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut git = GitFixture::with_files([("noise", noise), ("a", b"1".to_vec())]);
    let served = git.serve().await;
    let desk = Desk::new([served.host()]);
    let first = desk.obtain(&served.url(), "").await.unwrap().bytes;

    let unchanged = desk.obtain(&served.url(), "").await.unwrap();
    assert_eq!(summary(&unchanged.listing.files), [("a", 1, None), ("noise", 400_000, None)]);
    assert!(unchanged.bytes * 5 < first, "{} of {first} bytes", unchanged.bytes);
    drop(unchanged);

    let commit = git.commit("Change", [("a", Entry::file("22"))]);
    let changed = desk.obtain(&served.url(), "").await.unwrap();
    assert_eq!(changed.listing.commit.to_string(), commit);
    assert_eq!(contents(&changed)[0], ("a".to_owned(), b"22".to_vec()));
    assert!(changed.bytes * 5 < first, "{} of {first} bytes", changed.bytes);
    drop(changed);

    // History is rewritten: the branch jumps to a commit without the others.
    let tree = git.git(&["rev-parse", "HEAD^{tree}"]);
    let other = git.git(&["-c", "user.name=a", "-c", "user.email=a@b", "commit-tree", "-m", "Other", &tree]);
    git.git(&["update-ref", "refs/heads/main", &other]);
    assert_eq!(desk.obtain(&served.url(), "").await.unwrap().listing.commit.to_string(), other);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_mirror_is_fetched_by_commit() {
    let mut git = GitFixture::with_files([("a", "1")]);
    let served = git.serve().await;
    let desk = Desk::new([served.host()]);
    let pinned = desk.obtain(&served.url(), "").await.unwrap().listing;
    git.commit("Later", [("a", Entry::file("2"))]);

    let cancelled = CancellationToken::new();
    for (lose, anew) in [(false, false), (true, false), (false, true)] {
        if lose {
            desk.lose_disk();
        }
        let fetcher = desk.fetcher();
        let mirror = fetcher.ensure(&desk.source(&served.url()), pinned.commit, anew, &cancelled).await.unwrap();
        let blobs = mirror.blobs(1024).unwrap();
        assert_eq!(blobs.reader().read(pinned.files[0].oid, 1).unwrap(), b"1");
    }

    let gone = Oid::from_bytes(&[3; 20]).unwrap();
    let error = desk.fetcher().ensure(&desk.source(&served.url()), gone, false, &cancelled).await.unwrap_err();
    assert!(matches!(error, CloneError::Refused { code: "commit_gone", .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_mirror_is_made_anew() {
    let git = GitFixture::with_files([("a", "1"), ("b/c", "2")]);
    let served = git.serve().await;
    let desk = Desk::new([served.host()]);
    let first = desk.obtain(&served.url(), "").await.unwrap().listing;

    let damages: [fn(&std::path::Path); 3] = [
        |mirror| std::fs::remove_dir_all(mirror.join("objects/pack")).unwrap(),
        |mirror| std::fs::write(mirror.join("HEAD"), "rubbish").unwrap(),
        |mirror| std::fs::write(mirror.join("config"), "[core\n").unwrap(),
    ];
    for (number, damage) in damages.into_iter().enumerate() {
        damage(&desk.mirror());
        let again = desk.obtain(&served.url(), "").await.unwrap_or_else(|error| panic!("damage {number}: {error}"));
        assert_eq!(again.listing, first, "damage {number}");
        assert_eq!(contents(&again).len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_job_per_mirror() {
    let git = GitFixture::with_files([("a", "1")]);
    let served = git.serve().await;
    let desk = Desk::new([served.host()]);
    let held = desk.obtain(&served.url(), "").await.unwrap();
    assert_eq!(desk.obtain(&served.url(), "").await.unwrap_err(), CloneError::Busy);
    // Another workspace has another mirror.
    let fetcher = desk.fetcher();
    let other =
        fetcher.obtain(&Source::open(WorkspaceId::generate(), served.url()), "", &CancellationToken::new()).await;
    assert!(other.is_ok());
    drop(held);
    assert!(desk.obtain(&served.url(), "").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_stops() {
    let git = GitFixture::with_files([("a", "1")]);
    let served = git.serve().await;
    let desk = Desk::new([served.host()]);
    let cancelled = CancellationToken::new();
    cancelled.cancel();
    let error = desk.fetcher().obtain(&desk.source(&served.url()), "", &cancelled).await.unwrap_err();
    assert_eq!(error, CloneError::Stopped);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_left_is_in_nobodys_way() {
    let mut git = GitFixture::with_files([("a", "1")]);
    let served = git.serve().await;
    let desk = Desk::new([served.host()]);
    desk.obtain(&served.url(), "").await.unwrap();
    let mirror = desk.mirror();
    let leftovers =
        ["shallow.lock", "config.lock", "refs/caffeine/head.lock", "objects/pack/tmp_pack_x", "objects/pack/a.keep"];
    for name in leftovers {
        std::fs::write(mirror.join(name), "").unwrap();
    }
    let commit = git.commit("Change", [("a", Entry::file("2"))]);
    let obtained = desk.obtain(&served.url(), "").await.unwrap();
    assert_eq!(obtained.listing.commit.to_string(), commit);
    for name in leftovers {
        assert!(!mirror.join(name).exists(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_of_many_packs_is_made_anew() {
    let git = GitFixture::with_files([("a", "1")]);
    let served = git.serve().await;
    let desk = Desk::new([served.host()]);
    desk.obtain(&served.url(), "").await.unwrap();
    let packs = desk.mirror().join("objects/pack");
    for number in 0..21 {
        std::fs::write(packs.join(format!("pack-{number:040}.pack")), "").unwrap();
    }
    desk.obtain(&served.url(), "").await.unwrap();
    let left = std::fs::read_dir(packs)
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|e| e == "pack"));
    assert_eq!(left.count(), 1);
}

#[test]
fn a_mirror_without_anything() {
    let folder = tempfile::tempdir().unwrap();
    let address = Location::parse("https://example.org/x.git").unwrap();
    let mirror = Mirror::take(folder.path(), WorkspaceId::generate(), &address, 1024).unwrap();
    assert!(!mirror.has_commit(Oid::from_bytes(&[1; 20]).unwrap()));
    mirror.discard().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_unused_mirrors_make_room() {
    let gits: Vec<GitFixture> = (0..3).map(|n| GitFixture::with_files([("noise", noise(n + 1, 200_000))])).collect();
    let mut served = Vec::new();
    for git in &gits {
        served.push(git.serve().await);
    }
    let mut desk = Desk::new(served.iter().map(caffeine_testkit::git::ServedRepo::host));
    let one = desk.obtain(&served[0].url(), "").await.unwrap().bytes;
    // Room for two and a bit.
    desk.config.max_mirror_bytes = one * 5 / 2;
    let count = || {
        let entries = std::fs::read_dir(desk.folder.path().join("mirrors")).unwrap().flatten();
        entries.filter(|entry| entry.path().is_dir()).count()
    };
    drop(desk.obtain(&served[1].url(), "").await.unwrap());
    assert_eq!(count(), 2, "both fit");
    // The first is used again, so the second is the oldest when the third comes.
    let first = desk.obtain(&served[0].url(), "").await.unwrap();
    drop(desk.obtain(&served[2].url(), "").await.unwrap());
    assert_eq!(count(), 2);
    let again = desk.obtain(&served[1].url(), "").await.unwrap();
    assert!(again.bytes > one / 2, "it was gone and came again: {} bytes", again.bytes);
    assert_eq!(contents(&first).len(), 1, "what is in use stays");
}
