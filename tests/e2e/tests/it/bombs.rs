//! Repositories that are small on the wire and huge when somebody looks at them: the run ends with one sentence, or
//! with what fits, and the cloner's memory stays small.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use caffeine_e2e::{Stack, StackOptions};
use caffeine_testkit::git::GitFixture;

/// The limit for the cloner's peak, in kibibytes: a quarter of what is in the pack. It was 34 MiB when this was written.
const MOST_KIB: u64 = 128 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn bombs_do_not_fill_the_cloners_memory() {
    let mut pack = GitFixture::empty();
    let blob = blob_of_zeros(&pack, 512);
    pack.commit_raw_tree("Bomb", &[("100644", b"bomb", &blob)]);
    let mut tree = GitFixture::empty();
    nested(&mut tree);
    let (pack, tree) = (pack.serve().await, tree.serve().await);
    let options = StackOptions {
        allow_hosts: vec![pack.host(), tree.host()],
        variables: vec![("CAFFEINE_CLONER_MAX_FILES".to_owned(), "300".to_owned())],
        ..StackOptions::default()
    };
    let stack = Stack::start(options).await;

    let run = stack.api.submit(&pack.url()).await;
    assert_eq!(stack.ended(run, Duration::from_secs(120)).await, "failed");
    let (_, answer) = stack.api.run(run).await;
    let text = answer.to_string();
    assert!(text.contains("has a file or folder that is too large"), "one clear sentence: {text}");

    let run = stack.api.submit(&tree.url()).await;
    assert_eq!(stack.ended(run, Duration::from_secs(180)).await, "completed", "what fits is documented");
    let listed: (i64, bool) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM snapshot_files WHERE run_id = $1), truncated FROM snapshots WHERE run_id = $1",
    )
    .bind(run)
    .fetch_one(stack.database.pool())
    .await
    .unwrap();
    assert_eq!(listed, (300, true));

    let peak = peak_kib(stack.logs());
    println!("peak of the cloner: {} MiB", peak / 1024);
    assert!(peak < MOST_KIB, "the cloner took {} MiB", peak / 1024);
}

/// The peak of resident memory of the cloner whose data lies below a folder.
fn peak_kib(folder: &Path) -> u64 {
    let mark = format!("CAFFEINE_CLONER_DATA_DIR={}", folder.join("cloner").display());
    let processes = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let is_cloner = |process: &PathBuf| {
        let environment = std::fs::read(process.join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
    };
    let cloner = processes.into_iter().find(is_cloner).expect("the cloner runs");
    let status = std::fs::read_to_string(cloner.join("status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel keeps the peak");
    peak.trim().trim_end_matches("kB").trim().parse().unwrap()
}

/// Stores a blob of so many mebibytes without holding it.
fn blob_of_zeros(git: &GitFixture, mebibytes: usize) -> String {
    let mut child = Command::new("git")
        .arg("--git-dir")
        .arg(git.path())
        .args(["hash-object", "-w", "--stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let zeros = vec![0; 1024 * 1024];
    for _ in 0..mebibytes {
        stdin.write_all(&zeros).unwrap();
    }
    drop(stdin);
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap().trim().to_owned()
}

/// Ten levels of ten folders that are all the same one: 10^10 paths in eleven objects.
fn nested(git: &mut GitFixture) {
    let blob = git.blob(b"a line of text\n");
    git.commit_raw_tree("Leaf", &[("100644", b"f.txt", &blob), ("100644", b"g.txt", &blob)]);
    let names: Vec<Vec<u8>> = (0..10).map(|n| format!("d{n}").into_bytes()).collect();
    for _ in 0..10 {
        let tree = git.git(&["rev-parse", "HEAD^{tree}"]);
        let entries: Vec<(&str, &[u8], &str)> =
            names.iter().map(|name| ("40000", name.as_slice(), tree.as_str())).collect();
        git.commit_raw_tree("Level", &entries);
    }
}
