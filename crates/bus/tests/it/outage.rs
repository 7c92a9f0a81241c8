//! A broker of its own, restarted and killed under load.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use caffeine_bus::{Bus, NoInbox, Outgoing, StorageProfile, provision};
use caffeine_contract::{Scope, Stream, headers};
use caffeine_servers::Tools;
use caffeine_servers::nats::{NatsOptions, NatsServer};
use caffeine_testkit::eventually;

use crate::fixture::{
    Running, SOON, Script, batch, connect, contents, output, quick, scope, set_ack_wait, start, stored_messages,
};

/// Fewer than the window of a repository, so that nobody waits for room.
const BATCHES: u32 = 60;
const ACK_WAIT: Duration = Duration::from_secs(2);

struct Broker {
    server: NatsServer,
    _data: tempfile::TempDir,
    bus: Bus,
    jetstream: async_nats::jetstream::Context,
    scope: Scope,
}

impl Broker {
    async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let options = NatsOptions {
            tools: Tools::locate().unwrap(),
            data_dir: data.path().join("nats"),
            port: 0,
            max_store_bytes: 2 << 30,
            sync_always: true,
            monitor: false,
        };
        let server = NatsServer::start(options).await.unwrap();
        let bus = connect(&server.url(), "", "outage").await;
        provision(&bus, StorageProfile::Embedded).await.unwrap();
        let jetstream = observe(&server).await;
        set_ack_wait(&jetstream, "FILES", "chunker-i", ACK_WAIT).await;
        Self { server, _data: data, bus, jetstream, scope: scope() }
    }

    /// Publishes until the broker has it, as an outbox would.
    async fn publish(&self, outgoing: &Outgoing) {
        eventually(SOON, || async { self.bus.try_publish(outgoing).await.is_ok() }).await;
    }

    /// Keys of the outputs; each must be there once.
    async fn outputs(&self) -> BTreeSet<u32> {
        let outputs = contents(&self.jetstream, Stream::Chunks.spec().name).await;
        let keys: BTreeSet<u32> = outputs.iter().map(|message| message.header(headers::KEY).parse().unwrap()).collect();
        assert_eq!(keys.len(), outputs.len(), "an output was stored twice");
        keys
    }

    /// Returns the worker, which goes on: a message whose settlement the outage swallowed comes again.
    async fn disturbed(&mut self, disturb: impl AsyncFn(&mut NatsServer)) -> Running {
        let handler = Script::new(|seen, _| async move { Ok(vec![output(&seen.scope, seen.batch)]) });
        let mut spec = quick();
        spec.ack_wait = ACK_WAIT;
        let worker = start(self.bus.clone(), spec, &handler, Arc::new(NoInbox));
        for number in 0..BATCHES {
            self.publish(&batch(&self.scope, number)).await;
            if number % 20 == 10 {
                disturb(&mut self.server).await;
            }
        }
        eventually(SOON * 2, || async { self.outputs().await.len() == BATCHES as usize }).await;
        assert_eq!(stored_messages(&self.jetstream, "DEAD").await, 0);
        worker
    }
}

/// A connection beside the bus.
async fn observe(server: &NatsServer) -> async_nats::jetstream::Context {
    let url = server.url();
    let (user, password) = url["nats://".len()..].split_once('@').unwrap().0.split_once(':').unwrap();
    let options = async_nats::ConnectOptions::with_user_and_password(user.to_owned(), password.to_owned());
    async_nats::jetstream::new(options.connect(server.address().to_string()).await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_broker_loses_nothing_and_leaves_nothing() {
    let mut broker = Broker::start().await;
    let worker = broker.disturbed(async |server| server.restart().await.unwrap()).await;
    eventually(SOON, || async { stored_messages(&broker.jetstream, "FILES").await == 0 }).await;
    worker.stop().await;
}

/// A killed broker may keep messages that are acknowledged and never delivered again; the reaper removes them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_broker_loses_nothing() {
    let mut broker = Broker::start().await;
    let worker = broker
        .disturbed(async |server| {
            server.kill();
            server.restart().await.unwrap();
        })
        .await;
    worker.stop().await;
}
