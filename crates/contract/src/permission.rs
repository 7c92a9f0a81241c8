//! What each user of the broker may publish and hear, made from the table. Everything else is denied.
//!
//! There is one user per service and one for `caffeine provision`. A service asks only for its own consumers, publishes
//! only the messages it writes, and hears only its own inbox: all work reaches it as answers to its requests. So no
//! service can make or change a stream, or acknowledge what is not its own; none but the gateway, where administrators
//! look, and the housekeeper can read another's work.

use caffeine_model::Lane;

use crate::subject::Subjects;
use crate::table::{BROADCASTS, CONSUMERS, ConsumerSpec, MESSAGES, Retention, STREAMS, Service, Stream};

const API: &str = "$JS.API";

/// A user of the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identity {
    /// A service, in all its pods.
    Service(Service),
    /// `caffeine provision`.
    Provisioner,
}

impl Identity {
    /// Every user.
    pub const ALL: [Self; 7] = [
        Self::Service(Service::Gateway),
        Self::Service(Service::Cloner),
        Self::Service(Service::Chunker),
        Self::Service(Service::Embedder),
        Self::Service(Service::DocWriter),
        Self::Service(Service::Housekeeper),
        Self::Provisioner,
    ];

    /// The name of its key's file and of its connections.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Service(service) => service.as_str(),
            Self::Provisioner => "provisioner",
        }
    }
}

impl From<Service> for Identity {
    fn from(service: Service) -> Self {
        Self::Service(service)
    }
}

/// Subject patterns that a user may use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permissions {
    /// To publish, which includes every question to the broker.
    pub publish: Vec<String>,
    /// To hear.
    pub subscribe: Vec<String>,
}

impl Subjects {
    /// What a user may do in this installation.
    #[must_use]
    pub fn permissions(&self, identity: Identity) -> Permissions {
        let publish = match identity {
            Identity::Provisioner => self.provisioning(),
            Identity::Service(Service::Housekeeper) => self.housekeeping(),
            Identity::Service(service) => self.working(service),
        };
        Permissions { publish, subscribe: vec![format!("_INBOX_{}.>", identity.as_str())] }
    }

    fn working(&self, service: Service) -> Vec<String> {
        let mut publish = Vec::new();
        let own = || CONSUMERS.iter().filter(|spec| spec.service == service);
        for (stream, durable) in own().flat_map(|spec| self.durables(spec)) {
            publish.extend([
                format!("{API}.CONSUMER.INFO.{stream}.{durable}"),
                format!("{API}.CONSUMER.MSG.NEXT.{stream}.{durable}"),
                format!("$JS.ACK.{stream}.{durable}.>"),
                // With domain and account, as newer servers can be told to write it.
                format!("$JS.ACK.*.*.{stream}.{durable}.>"),
            ]);
        }
        let written = MESSAGES.iter().filter(|row| row.writers.contains(&service));
        publish.extend(written.map(|row| self.any_work(row.kind)));
        publish.extend(own().map(|spec| self.any_dead(spec.durable)));
        publish.extend(self.broadcasting(service));
        if service == Service::Gateway {
            publish.extend(self.looking(&publish));
        }
        publish
    }

    /// Administrators look at queues and dead letters through the gateway. It may read what waits (the same text stands
    /// in tables that it reads) and change nothing of it: that it asks the housekeeper for.
    fn looking(&self, known: &[String]) -> Vec<String> {
        let mut publish = Vec::new();
        for spec in STREAMS {
            let stream = self.stream(spec.stream);
            publish.push(format!("{API}.STREAM.INFO.{stream}"));
            if spec.retention == Retention::WorkQueue || spec.stream == Stream::Dead {
                publish.push(format!("{API}.STREAM.MSG.GET.{stream}"));
            }
        }
        let durables = CONSUMERS.iter().flat_map(|spec| self.durables(spec));
        publish.extend(durables.map(|(stream, durable)| format!("{API}.CONSUMER.INFO.{stream}.{durable}")));
        publish.retain(|subject| !known.contains(subject));
        publish
    }

    /// The only service that may delete from streams and publish anybody's work again.
    fn housekeeping(&self) -> Vec<String> {
        let mut publish = Vec::new();
        for spec in STREAMS {
            let stream = self.stream(spec.stream);
            publish.push(format!("{API}.STREAM.INFO.{stream}"));
            if spec.retention == Retention::WorkQueue {
                publish.push(format!("{API}.CONSUMER.INFO.{stream}.*"));
            }
            if spec.retention == Retention::WorkQueue || spec.stream == Stream::Dead {
                publish.extend(["MSG.GET", "MSG.DELETE"].map(|verb| format!("{API}.STREAM.{verb}.{stream}")));
            }
            // Commands stay for pods that start later.
            if spec.stream != Stream::Control {
                publish.push(format!("{API}.STREAM.PURGE.{stream}"));
            }
        }
        publish.extend(MESSAGES.iter().map(|row| self.any_work(row.kind)));
        publish.extend(self.stored(Stream::Dead.spec()));
        publish.extend(self.broadcasting(Service::Housekeeper));
        publish
    }

    /// Streams and consumers of the contract, by name: no others are made. Nothing is ever deleted but readers of work
    /// queues that an earlier version had; their messages stay.
    fn provisioning(&self) -> Vec<String> {
        let mut publish = Vec::new();
        for spec in STREAMS {
            let stream = self.stream(spec.stream);
            publish.extend(["INFO", "CREATE", "UPDATE"].map(|verb| format!("{API}.STREAM.{verb}.{stream}")));
            if spec.retention == Retention::WorkQueue {
                publish.push(format!("{API}.CONSUMER.NAMES.{stream}"));
                publish.push(format!("{API}.CONSUMER.DELETE.{stream}.*"));
            }
        }
        for (stream, durable) in CONSUMERS.iter().flat_map(|spec| self.durables(spec)) {
            publish.extend([
                format!("{API}.CONSUMER.INFO.{stream}.{durable}"),
                format!("{API}.CONSUMER.CREATE.{stream}.{durable}"),
                // With its filter as further tokens.
                format!("{API}.CONSUMER.CREATE.{stream}.{durable}.>"),
            ]);
        }
        publish
    }

    fn broadcasting(&self, service: Service) -> Vec<String> {
        let mut publish = Vec::new();
        for row in BROADCASTS.iter().filter(|row| row.writers.contains(&service)) {
            publish.extend(self.stored(row.stream.spec()));
        }
        for row in BROADCASTS.iter().filter(|row| row.followers.contains(&service)) {
            let stream = self.stream(row.stream);
            // Its name is made up by each pod; the filter keeps it below the stream's own subjects.
            for filter in self.stored(row.stream.spec()) {
                publish.push(format!("{API}.CONSUMER.CREATE.{stream}.*.{filter}"));
            }
            let verbs = ["INFO", "MSG.NEXT", "DELETE"];
            publish.extend(verbs.map(|verb| format!("{API}.CONSUMER.{verb}.{stream}.*")));
        }
        publish
    }

    fn durables(&self, spec: &'static ConsumerSpec) -> impl Iterator<Item = (String, String)> + use<> {
        let stream = self.stream(spec.stream);
        let lanes = if spec.laned { &Lane::ALL[..] } else { &Lane::ALL[..1] };
        lanes.iter().map(move |lane| (stream.clone(), Self::durable(spec, *lane)))
    }
}
