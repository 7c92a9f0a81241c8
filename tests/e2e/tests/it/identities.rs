//! Every service with the rights it needs and no others.

use std::process::Command;
use std::time::Duration;

use caffeine_e2e::{Refusal, SERVICES, Stack, StackOptions, program, refusal};
use caffeine_testkit::eventually;

use crate::fixture;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_needed_is_denied() {
    let repository = fixture::repository();
    let served = repository.serve().await;
    let options = StackOptions { identities: true, ..StackOptions::with_host(served.host()) };
    let stack = Stack::start(options).await;
    let run = stack.api.submit(&served.url()).await;
    assert_eq!(stack.ended(run, Duration::from_secs(120)).await, "completed");
    let dump = stack.dump(run).await;
    assert!(dump.contains("\"name\": \"greet\"") && dump.contains("Adds two numbers."), "{dump}");

    for name in SERVICES {
        let log = std::fs::read_to_string(stack.logs().join(format!("caffeine-{name}.log"))).unwrap();
        for word in ["Permissions Violation", "permission denied", "42501"] {
            assert!(!log.contains(word), "{name}: {}", log.lines().find(|line| line.contains(word)).unwrap());
        }
        assert_eq!(stack.services[name].starts(), 1, "{name}");
    }
    housekeeper(&stack).await;
    wrong_users(&stack);
}

/// A pass of reaper and sweeper, over everything that is there.
async fn housekeeper(stack: &Stack) {
    let folder = stack.identities();
    let log = stack.logs().join("housekeeper.log");
    let mut child = Command::new(program("caffeine"))
        .args(["serve", "housekeeper"])
        .env("CAFFEINE_NATS_URL", stack.broker())
        .env("CAFFEINE_NATS_PREFIX", stack.bus.prefix())
        .env("CAFFEINE_HOUSEKEEPER_NATS_NKEY_FILE", folder.join("housekeeper.nk"))
        .env("CAFFEINE_HOUSEKEEPER_DATABASE_URL_FILE", folder.join("housekeeper.database-url"))
        .env("CAFFEINE_HOUSEKEEPER_REAPER_AGE_SECONDS", "0")
        .env("CAFFEINE_HOUSEKEEPER_SWEEP_AGE_SECONDS", "0")
        .stderr(std::fs::File::create(&log).expect("a log can be made"))
        .spawn()
        .expect("`make test` builds caffeine");
    let said = || std::fs::read_to_string(&log).expect("the log is there");
    eventually(Duration::from_secs(20), || async { said().contains("serving health") }).await;
    // The first pass begins with the service, and one that has begun comes to its end.
    let killed = Command::new("kill").arg(child.id().to_string()).status().expect("there is a kill");
    assert!(killed.success());
    let ended = child.wait().expect("a child can be waited for");
    assert!(ended.success(), "{}", said());
    for word in ["Permissions Violation", "a pass ended early"] {
        assert!(!said().contains(word), "{}", said());
    }
}

/// A service with another one's key, or another one's role, says so at once and ends.
fn wrong_users(stack: &Stack) {
    let folder = stack.identities();
    let url = |name: &str| std::fs::read_to_string(folder.join(format!("{name}.database-url"))).expect("each has one");
    for (name, other) in
        [("cloner", "chunker"), ("chunker", "gateway"), ("embedder", "doc-writer"), ("gateway", "cloner")]
    {
        for (key, role, expected) in [
            (other, name, format!("subscribe to _INBOX_{name}.")),
            (name, other, format!("_{}` lacks ", other.replace('-', "_"))),
        ] {
            let mut command = Command::new(program(&format!("caffeine-{name}")));
            command
                .env("CAFFEINE_NATS_URL", stack.broker())
                .env("CAFFEINE_NATS_PREFIX", stack.bus.prefix())
                .env("CAFFEINE_NATS_NKEY_FILE", folder.join(format!("{key}.nk")))
                .env("CAFFEINE_DATABASE_URL", url(role));
            let Refusal { success, said, took } = refusal(&mut command);
            assert!(!success && said.contains(&expected), "{name} as {key}, {role}: {said}");
            assert!(took < Duration::from_secs(2), "{name} as {key}, {role}: {took:?}");
        }
    }
}
