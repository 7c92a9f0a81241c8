//! Row 22: a service that is somebody else.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use caffeine_e2e::{SERVICES, Stack, StackOptions, program};

use crate::faults::report::{Report, Verdict};
use crate::faults::world::World;

/// A denied call looks like silence, which lasts ten seconds; the check at the start must not wait for it.
const SAYS_SO_WITHIN: Duration = Duration::from_secs(5);

/// Row 22: each service with the key of each other one ends at once and names a subject that it is denied.
pub(crate) async fn is_somebody_else(world: &mut World, report: &mut Report) -> Verdict {
    let stack = Stack::start(StackOptions {
        servers: Some((world.servers.nats.url(), world.servers.postgres.url())),
        identities: true,
        ..StackOptions::with_host(world.site.host())
    })
    .await;
    let mut verdict = Verdict::default();
    for name in SERVICES {
        for other in SERVICES.into_iter().filter(|other| *other != name) {
            let role = std::fs::read_to_string(stack.identities().join(format!("{name}.database-url")));
            let began = Instant::now();
            let output = Command::new(program(&format!("caffeine-{name}")))
                .env("CAFFEINE_NATS_URL", stack.broker())
                .env("CAFFEINE_NATS_PREFIX", stack.bus.prefix())
                .env("CAFFEINE_NATS_NKEY_FILE", stack.identities().join(format!("{other}.nk")))
                .env("CAFFEINE_DATABASE_URL", role.expect("every service has a role"))
                .stdin(Stdio::null())
                .output()
                .expect("`make chaos` builds the services");
            let (took, said) = (began.elapsed(), String::from_utf8_lossy(&output.stderr).into_owned());
            report.injected("service with another one's key");
            report.worst("seconds until a service with a wrong key has ended", took.as_secs_f64());
            let named = said.contains(&format!("_INBOX_{name}.")) || said.contains("$JS.");
            verdict.require(!output.status.success() && named, || format!("{name} as {other}: {said}"));
            verdict.require(took < SAYS_SO_WITHIN, || format!("{name} as {other} took {took:?}"));
        }
    }
    verdict
}
