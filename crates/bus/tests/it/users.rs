//! A broker with the contract's users: each may do what it needs, and nothing else.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use caffeine_bus::{Bus, BusConfig, BusError, DeadLetterFilter, Nkey, Reaped, Reaper, StorageProfile};
use caffeine_bus::{accounts, check_rights, provision, verify_service};
use caffeine_contract::table::{BROADCASTS, CONSUMERS, MESSAGES, Retention, STREAMS};
use caffeine_contract::{ConsumerSpec, Identity, Service, Stream, Subjects};
use caffeine_model::Lane;
use caffeine_servers::Tools;
use caffeine_servers::nats::{NatsOptions, NatsServer};
use caffeine_testkit::eventually;

use crate::fixture::{SOON, batch, scope};

/// Denials that a client is sent before it is asked whether it has heard of them; it buffers a hundred.
const AT_ONCE: usize = 50;
/// A denied call looks like silence, and that lasts twice as long.
const SILENCE: Duration = Duration::from_secs(5);

struct Broker {
    server: NatsServer,
    keys: Vec<(Identity, Nkey)>,
    prefix: &'static str,
    _data: tempfile::TempDir,
}

impl Broker {
    async fn start(prefix: &'static str) -> Self {
        let keys: Vec<_> = Identity::ALL.into_iter().map(|identity| (identity, Nkey::generate())).collect();
        let data = tempfile::tempdir().unwrap();
        let options = NatsOptions {
            tools: Tools::locate().unwrap(),
            data_dir: data.path().join("nats"),
            port: 0,
            max_store_bytes: 2 << 30,
            sync_always: false,
            monitor: false,
        };
        let server = NatsServer::start_with_accounts(options, accounts(prefix, &keys)).await.unwrap();
        let broker = Self { server, keys, prefix, _data: data };
        let provisioner = broker.connect(Identity::Provisioner, Identity::Provisioner).await;
        let first = provision(&provisioner, StorageProfile::Embedded).await.unwrap();
        assert!(!first.created.is_empty());
        let second = provision(&provisioner, StorageProfile::Embedded).await.unwrap();
        assert_eq!((second.created.len(), second.updated.len()), (0, 0));
        broker
    }

    fn key(&self, identity: Identity) -> Nkey {
        self.keys.iter().find(|(known, _)| *known == identity).unwrap().1.clone()
    }

    /// A program that takes itself for `name` and has the key of `user`.
    async fn connect(&self, name: Identity, user: Identity) -> Bus {
        let config = BusConfig {
            url: self.server.url(),
            prefix: self.prefix.to_owned(),
            name: name.as_str().to_owned(),
            nkey: Some(self.key(user)),
        };
        Bus::connect(&config).await.unwrap()
    }
}

#[tokio::test]
async fn everybody_may_do_what_they_need() {
    for prefix in ["", "t_1"] {
        let broker = Broker::start(prefix).await;
        for identity in Identity::ALL {
            let bus = broker.connect(identity, identity).await;
            check_rights(&bus, identity).await.unwrap();
            if let Identity::Service(service) = identity {
                verify_service(&bus, service).await.unwrap();
            }
        }
        // The questions stored, took and changed nothing.
        let housekeeper = Identity::Service(Service::Housekeeper);
        let client = broker.client(housekeeper, &Heard::default()).await;
        for spec in STREAMS {
            let stream = Subjects::new(prefix).stream(spec.stream);
            let stream = async_nats::jetstream::new(client.clone()).get_stream(stream).await.unwrap();
            let state = &stream.cached_info().state;
            assert_eq!((state.messages, state.last_sequence), (0, 0), "{}", spec.name);
        }
        let provisioner = broker.connect(Identity::Provisioner, Identity::Provisioner).await;
        let report = provision(&provisioner, StorageProfile::Embedded).await.unwrap();
        assert!(report.updated.is_empty());
    }
}

#[tokio::test]
async fn the_housekeeper_may_look_into_streams_and_send_again() {
    let broker = Broker::start("").await;
    let cloner = broker.connect(Service::Cloner.into(), Service::Cloner.into()).await;
    for number in 0..3 {
        cloner.try_publish(&batch(&scope(), number)).await.unwrap();
    }
    let bus = broker.connect(Service::Housekeeper.into(), Service::Housekeeper.into()).await;
    let mut reaper = Reaper::new(bus.clone(), Duration::ZERO);
    let reaped = reaper.pass(|_run| async { Ok::<bool, BusError>(true) }).await.unwrap();
    assert_eq!(reaped, Reaped::default(), "they wait to be delivered");
    let filter = DeadLetterFilter::default();
    assert_eq!(bus.dead_letters(&filter, 0, 10).await.unwrap().len(), 0);
    let scope = scope();
    assert!(!bus.has_work(scope.workspace, scope.repository, scope.run).await.unwrap());
    bus.try_publish(&batch(&scope, 1)).await.unwrap();
    assert!(bus.has_work(scope.workspace, scope.repository, scope.run).await.unwrap());
}

#[tokio::test]
async fn another_services_key_is_noticed_at_once_with_the_subject() {
    let broker = Broker::start("").await;
    for name in Service::ALL {
        for user in Service::ALL.into_iter().filter(|user| *user != name) {
            let started = Instant::now();
            let bus = broker.connect(name.into(), user.into()).await;
            let error = check_rights(&bus, name.into()).await.unwrap_err();
            assert!(started.elapsed() < SILENCE, "{name:?} as {user:?}: {:?}", started.elapsed());
            let inbox = format!("subscribe to _INBOX_{}.", name.as_str());
            assert!(matches!(error, BusError::Denied { .. }) && error.to_string().contains(&inbox), "{error}");
        }
    }
}

#[tokio::test]
async fn a_single_permission_that_is_missing_is_named() {
    let mut broker = Broker::start("").await;
    broker.server.stop().await;
    let mut poorer = accounts("", &broker.keys);
    let users = poorer["CAFFEINE"]["users"].as_array_mut().unwrap();
    let chunker = users.iter_mut().find(|user| user["nkey"] == broker.key(Service::Chunker.into()).public()).unwrap();
    let allowed = chunker["permissions"]["publish"]["allow"].as_array_mut().unwrap();
    allowed.retain(|pattern| {
        pattern != "caffeine.v1.chunks.batch.>" && pattern != "$JS.API.CONSUMER.MSG.NEXT.LINK.linker-b"
    });

    let data = tempfile::tempdir().unwrap();
    let options = NatsOptions {
        tools: Tools::locate().unwrap(),
        data_dir: data.path().join("nats"),
        port: 0,
        max_store_bytes: 2 << 30,
        sync_always: false,
        monitor: false,
    };
    broker.server = NatsServer::start_with_accounts(options, poorer).await.unwrap();
    // Also without streams: their absence is another check's business.
    let started = Instant::now();
    let bus = broker.connect(Service::Chunker.into(), Service::Chunker.into()).await;
    let error = check_rights(&bus, Service::Chunker.into()).await.unwrap_err().to_string();
    assert!(started.elapsed() < SILENCE, "{:?}", started.elapsed());
    for subject in ["publish to $JS.API.CONSUMER.MSG.NEXT.LINK.linker-b, ", "publish to caffeine.v1.chunks.batch."] {
        assert!(error.contains(subject), "{error}");
    }
    assert!(!error.contains("FILES"), "{error}");
    let bus = broker.connect(Service::Embedder.into(), Service::Embedder.into()).await;
    check_rights(&bus, Service::Embedder.into()).await.unwrap();
}

#[tokio::test]
async fn nobody_may_do_what_they_do_not_need() {
    let broker = Broker::start("").await;
    let (mut tried, mut refused) = (0, 0);
    for identity in Identity::ALL {
        let heard = Heard::default();
        let client = broker.client(identity, &heard).await;
        let attempts = attempts(identity);
        for some in attempts.chunks(AT_ONCE) {
            let mut expected = BTreeSet::new();
            for attempt in some {
                tried += 1;
                let denial = match attempt.how {
                    How::Publish => {
                        let mut headers = HeaderMap::new();
                        headers.insert(async_nats::header::NATS_EXPECTED_STREAM, "nothing");
                        client.publish_with_headers(attempt.subject.clone(), headers, "{".into()).await.unwrap();
                        format!("Permissions Violation for Publish to {:?}", attempt.subject)
                    }
                    How::Subscribe => {
                        client.subscribe(attempt.subject.clone()).await.unwrap();
                        format!("Permissions Violation for Subscription to {:?}", attempt.subject)
                    }
                };
                if !attempt.needed {
                    refused += 1;
                    expected.insert(denial);
                }
            }
            // The broker reads a connection in order, so after this answer it has said all that it has to say.
            let inbox = format!("$JS.API.{}", a_question(identity));
            client.request(inbox, "".into()).await.unwrap();
            eventually(SOON, || async { heard.so_far().is_superset(&expected) }).await;
            assert_eq!(heard.so_far(), expected, "{}", identity.as_str());
            heard.0.lock().unwrap().clear();
        }
    }
    // Seven users and everything there is; the bulk of it is nobody's.
    assert!(tried > 2_500 && refused > 2_000, "{tried} tried, {refused} refused");
    println!("{tried} subjects tried by seven users, {refused} refused");
}

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<BTreeSet<String>>>);

impl Heard {
    fn so_far(&self) -> BTreeSet<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Broker {
    async fn client(&self, identity: Identity, heard: &Heard) -> async_nats::Client {
        let heard = heard.clone();
        async_nats::ConnectOptions::with_nkey(self.key(identity).seed().to_owned())
            .custom_inbox_prefix(format!("_INBOX_{}", identity.as_str()))
            .event_callback(move |event| {
                if let async_nats::Event::ServerError(async_nats::ServerError::Other(said)) = event {
                    heard.0.lock().unwrap().insert(said);
                }
                async {}
            })
            .connect(self.server.url())
            .await
            .unwrap()
    }
}

enum How {
    Publish,
    Subscribe,
}

struct Attempt {
    how: How,
    subject: String,
    needed: bool,
}

/// Something that this user may ask.
fn a_question(identity: Identity) -> String {
    match identity {
        Identity::Provisioner | Identity::Service(Service::Housekeeper) => "STREAM.INFO.FILES".to_owned(),
        Identity::Service(service) => {
            let spec = CONSUMERS.iter().find(|spec| spec.service == service).unwrap();
            format!("CONSUMER.INFO.{}.{}", spec.stream.spec().name, Subjects::durable(spec, Lane::Interactive))
        }
    }
}

/// Every subject of every message and every question about every stream and consumer, and whether `identity` needs it;
/// said here once more in other words than where the permissions are made.
fn attempts(identity: Identity) -> Vec<Attempt> {
    let is = |service: Service| identity == Identity::Service(service);
    let (housekeeper, provisioner) = (is(Service::Housekeeper), identity == Identity::Provisioner);
    // It changes nothing of what it sees.
    let looks = housekeeper || is(Service::Gateway);
    let mut attempts = Vec::new();
    let mut publish = |subject: String, needed: bool| attempts.push(Attempt { how: How::Publish, subject, needed });

    for row in MESSAGES {
        let writer = row.writers.iter().any(|writer| is(*writer));
        publish(format!("caffeine.v1.{}.a.b.c", row.name), writer || housekeeper);
    }
    for row in BROADCASTS {
        let writer = row.writers.iter().any(|writer| is(*writer));
        for subject in row.stream.spec().subjects {
            publish(format!("caffeine.v1.{}", subject.replace('>', "a.b")), writer);
        }
    }
    for stream in STREAMS {
        let name = stream.name;
        let work = stream.retention == Retention::WorkQueue;
        for verb in ["INFO", "CREATE", "UPDATE", "DELETE", "PURGE", "MSG.GET", "MSG.DELETE", "SNAPSHOT", "RESTORE"] {
            let needed = match verb {
                "INFO" => looks || provisioner,
                "CREATE" | "UPDATE" => provisioner,
                "MSG.GET" => looks && (work || stream.stream == Stream::Dead),
                "MSG.DELETE" => housekeeper && (work || stream.stream == Stream::Dead),
                "PURGE" => housekeeper && stream.stream != Stream::Control,
                _ => false,
            };
            publish(format!("$JS.API.STREAM.{verb}.{name}"), needed);
        }
        for verb in ["STREAM.PEER.REMOVE", "STREAM.LEADER.STEPDOWN", "CONSUMER.LIST", "DIRECT.GET"] {
            publish(format!("$JS.API.{verb}.{name}"), false);
        }
        publish(format!("$JS.API.CONSUMER.NAMES.{name}"), provisioner && work);
        // A consumer of one's own would read what is others' work.
        let follows = BROADCASTS
            .iter()
            .any(|row| row.stream == stream.stream && row.followers.iter().any(|follower| is(*follower)));
        for subject in stream.subjects {
            publish(format!("$JS.API.CONSUMER.CREATE.{name}.mine.caffeine.v1.{subject}"), follows);
        }
        publish(format!("$JS.API.CONSUMER.CREATE.{name}"), false);
        publish(format!("$JS.API.CONSUMER.CREATE.{name}.mine"), false);
        publish(format!("$JS.API.CONSUMER.CREATE.{name}.mine.>"), false);
        publish(format!("$JS.API.CONSUMER.DURABLE.CREATE.{name}.mine"), false);
        for verb in ["INFO", "MSG.NEXT", "DELETE"] {
            let asks = verb == "INFO" && housekeeper && work;
            // A reader that an earlier version had.
            let removes = verb == "DELETE" && provisioner && work;
            publish(format!("$JS.API.CONSUMER.{verb}.{name}.mine"), follows || asks || removes);
        }
        publish(format!("$JS.API.CONSUMER.PAUSE.{name}.mine"), false);
        publish(format!("$JS.ACK.{name}.mine.1.1.1.1.0"), false);
    }
    for spec in CONSUMERS {
        let own = is(spec.service);
        publish(format!("caffeine.v1.dead.{}.a.b", spec.durable), own || housekeeper);
        for (stream, durable) in durables(spec) {
            let place = format!("{stream}.{durable}");
            for verb in ["INFO", "MSG.NEXT", "PAUSE", "DELETE", "UNPIN", "RESET", "LEADER.STEPDOWN", "DURABLE.CREATE"] {
                let needed = match verb {
                    "INFO" => own || looks || provisioner,
                    "MSG.NEXT" => own,
                    "DELETE" => provisioner,
                    _ => false,
                };
                publish(format!("$JS.API.CONSUMER.{verb}.{place}"), needed);
            }
            publish(format!("$JS.API.CONSUMER.CREATE.{place}"), provisioner);
            publish(format!("$JS.API.CONSUMER.CREATE.{place}.caffeine.v1.x"), provisioner);
            publish(format!("$JS.ACK.{place}.1.1.1.1.0"), own);
            publish(format!("$JS.ACK._.hash.{place}.1.1.1.1.0.x"), own);
        }
    }
    for subject in ["$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST", "$JS.API.ACCOUNT.PURGE.CAFFEINE"] {
        publish(subject.to_owned(), false);
    }
    for subject in ["$JS.API.STREAM.CREATE.MINE", "$SYS.REQ.SERVER.PING", "$KV.mine.a", "caffeine.v1.other.a", "a"] {
        publish(subject.to_owned(), false);
    }
    for other in Identity::ALL {
        // Answers come from the broker alone.
        publish(format!("_INBOX_{}.a.b", other.as_str()), false);
    }

    let mut hear = |subject: String, needed: bool| attempts.push(Attempt { how: How::Subscribe, subject, needed });
    for pattern in STREAMS.iter().flat_map(|stream| stream.subjects) {
        hear(format!("caffeine.v1.{pattern}"), false);
    }
    for other in Identity::ALL {
        hear(format!("_INBOX_{}.>", other.as_str()), other == identity);
    }
    for pattern in [">", "*", "caffeine.>", "$JS.>", "$JS.ACK.>", "$JS.EVENT.>", "$JS.API.>", "$SYS.>", "_INBOX.>"] {
        hear(pattern.to_owned(), false);
    }
    attempts
}

fn durables(spec: &ConsumerSpec) -> Vec<(&'static str, String)> {
    let lanes = if spec.laned { &Lane::ALL[..] } else { &Lane::ALL[..1] };
    lanes.iter().map(|lane| (spec.stream.spec().name, Subjects::durable(spec, *lane))).collect()
}
