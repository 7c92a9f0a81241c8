//! Row 22: a service that is somebody else.

use std::process::Command;
use std::time::Duration;

use caffeine_e2e::{Refusal, SERVICES, Stack, StackOptions, program, refusal};

use crate::faults::report::{Report, Verdict};
use crate::faults::world::World;

/// A denied call looks like silence, which lasts ten seconds; the check at the start must not wait for it.
const SAYS_SO_WITHIN: Duration = Duration::from_secs(2);

/// Row 22: each service, and the housekeeper, with the key of each other one ends at once and names the subject that it is
/// denied.
pub(crate) async fn is_somebody_else(world: &mut World, report: &mut Report) -> Verdict {
    let stack = Stack::start(StackOptions {
        servers: Some((world.servers.nats.url(), world.servers.postgres.url())),
        identities: true,
        ..StackOptions::with_host(world.site.host())
    })
    .await;
    let mut verdict = Verdict::default();
    let everybody = || SERVICES.into_iter().chain(["housekeeper"]);
    for name in everybody() {
        for other in everybody().filter(|other| *other != name) {
            let role = std::fs::read_to_string(stack.identities().join(format!("{name}.database-url")));
            let mut command = command(name);
            command
                .env("CAFFEINE_NATS_URL", stack.broker())
                .env("CAFFEINE_NATS_PREFIX", stack.bus.prefix())
                .env("CAFFEINE_NATS_NKEY_FILE", stack.identities().join(format!("{other}.nk")))
                .env("CAFFEINE_DATABASE_URL", role.expect("every service has a role"));
            let Refusal { success, said, took } = refusal(&mut command);
            report.injected("service with another one's key");
            report.worst("seconds from the first line of a service with a wrong key to its end", took.as_secs_f64());
            let named = said.contains(&format!("subscribe to _INBOX_{name}."));
            verdict.require(!success && named, || format!("{name} as {other}: {said}"));
            // The connection is told first; with one line alone there would be nothing to measure.
            verdict.require(said.lines().count() > 1, || format!("{name} as {other} said only {said}"));
            verdict.require(took < SAYS_SO_WITHIN, || format!("{name} as {other} took {took:?}"));
        }
    }
    verdict
}

/// The service's program; the housekeeper is a role of the one that has all of them.
fn command(name: &str) -> Command {
    if name == "housekeeper" {
        let mut command = Command::new(program("caffeine"));
        command.args(["serve", name]);
        return command;
    }
    Command::new(program(&format!("caffeine-{name}")))
}
