//! Named points at which a test disturbs the process. Nothing happens unless the environment asks for it.
//!
//! `CAFFEINE_FAULT=<service or durable>:<message>[#<key>]:<point>[=<action>[!]]:<marker>`, for instance
//! `chunker:files.batch:after_commit:/tmp/killed-once`. The message may be `*`; the points are `after_pull`,
//! `in_handler`, `after_commit`, `after_publish` and `before_ack`. The gateway's outbox relay, which reads rows, goes by
//! `relay` and has `after_publish` alone: the message is stored, its row not yet deleted. The first time the point is
//! reached the process makes the marker file, which holds its process id, and kills itself with SIGKILL; where the file
//! exists nothing happens, so the restarted process lives.
//!
//! Builds with debug assertions also know the other actions (`stop` freezes the process with SIGSTOP, `panic`, `abort`
//! and `oom` are poison), the `!` that repeats an action every time and adds a line to the marker, and
//! `CAFFEINE_FAULT=@<file>`: a file of such lines that is read at each point, so that a running process can be struck.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;
use std::sync::OnceLock;

use caffeine_contract::{ConsumerSpec, Kind};

use crate::Bus;

/// What `oom` takes at most, where nobody has set a limit.
const HOARD_AT_MOST: usize = 8 << 30;

/// A point in the life of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultPoint {
    /// The message was pulled; nothing has been done.
    AfterPull,
    /// The delivery is recorded and the handler begins.
    InHandler,
    /// The transaction is committed; nothing has been published.
    AfterCommit,
    /// An output has been published and acknowledged.
    AfterPublish,
    /// Everything is done but the acknowledgement.
    BeforeAck,
}

impl FaultPoint {
    const ALL: [(Self, &'static str); 5] = [
        (Self::AfterPull, "after_pull"),
        (Self::InHandler, "in_handler"),
        (Self::AfterCommit, "after_commit"),
        (Self::AfterPublish, "after_publish"),
        (Self::BeforeAck, "before_ack"),
    ];
}

/// Where a process is.
struct Place<'a> {
    /// What it may be called.
    readers: [&'a str; 2],
    message: &'a str,
    key: Option<&'a str>,
    point: FaultPoint,
}

impl<'a> Place<'a> {
    fn of(spec: &ConsumerSpec, kind: Kind, key: Option<&'a str>, point: FaultPoint) -> Self {
        Self { readers: [spec.durable, spec.service.as_str()], message: kind.spec().name, key, point }
    }
}

/// What happens at the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Kill,
    Stop,
    Panic,
    Abort,
    Oom,
}

impl Action {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Kill, "kill"),
        (Self::Stop, "stop"),
        (Self::Panic, "panic"),
        (Self::Abort, "abort"),
        (Self::Oom, "oom"),
    ];
}

#[derive(Debug, PartialEq, Eq)]
struct Fault {
    reader: String,
    message: String,
    key: Option<String>,
    point: FaultPoint,
    action: Action,
    always: bool,
    marker: PathBuf,
}

impl Fault {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, ':');
        let (reader, message, point, marker) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let (message, key) =
            message.split_once('#').map_or((message, None), |(message, key)| (message, Some(key.to_owned())));
        let (point, action) = point.split_once('=').unwrap_or((point, "kill"));
        let (action, always) = action.strip_suffix('!').map_or((action, false), |action| (action, true));
        let (point, _) = FaultPoint::ALL.into_iter().find(|(_, word)| *word == point)?;
        let (action, _) = Action::ALL.into_iter().find(|(_, word)| *word == action)?;
        let (reader, message) = (reader.to_owned(), message.to_owned());
        Some(Self { reader, message, key, point, action, always, marker: marker.into() })
    }

    fn matches(&self, place: &Place<'_>) -> bool {
        self.point == place.point
            && place.readers.contains(&self.reader.as_str())
            && (self.message == "*" || self.message == place.message)
            && self.key.as_deref().is_none_or(|wanted| Some(wanted) == place.key)
    }

    /// Writes the marker; whether it is this process's turn.
    fn claim(&self) -> bool {
        let opened = if self.always {
            File::options().create(true).append(true).open(&self.marker)
        } else {
            File::create_new(&self.marker)
        };
        match opened.and_then(|mut file| writeln!(file, "{}", std::process::id())) {
            Ok(()) => true,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
            Err(error) => {
                tracing::error!(marker = %self.marker.display(), %error, "cannot make the marker of CAFFEINE_FAULT");
                false
            }
        }
    }
}

/// Where the faults stand.
enum Source {
    Nowhere,
    Fixed(Fault),
    File(PathBuf),
}

impl Source {
    fn read() -> Self {
        let Ok(text) = std::env::var("CAFFEINE_FAULT") else { return Self::Nowhere };
        if cfg!(debug_assertions)
            && let Some(file) = text.strip_prefix('@')
        {
            return Self::File(file.into());
        }
        match Fault::parse(&text) {
            Some(fault) if cfg!(debug_assertions) || (fault.action == Action::Kill && !fault.always) => {
                Self::Fixed(fault)
            }
            _ => {
                tracing::error!(text, "CAFFEINE_FAULT is not <service>:<message>:<point>:<marker>");
                Self::Nowhere
            }
        }
    }
}

/// Disturbs the process if the environment asks for it at this point.
pub(crate) fn reached(spec: &ConsumerSpec, kind: Kind, key: Option<&str>, point: FaultPoint) {
    strike_at(&Place::of(spec, kind, key, point));
}

impl Bus {
    /// Lets a test disturb the outbox relay here: it has published a message of this kind and not yet deleted its row.
    pub fn relayed(&self, kind: &str) {
        strike_at(&Place { readers: ["relay", "gateway"], message: kind, key: None, point: FaultPoint::AfterPublish });
    }
}

fn strike_at(place: &Place<'_>) {
    static SOURCE: OnceLock<Source> = OnceLock::new();
    match SOURCE.get_or_init(Source::read) {
        Source::Nowhere => {}
        Source::Fixed(fault) => strike_if(fault, place),
        // What is not there yet, or is just being written, is no fault.
        Source::File(file) => {
            for fault in std::fs::read_to_string(file).unwrap_or_default().lines().filter_map(Fault::parse) {
                strike_if(&fault, place);
            }
        }
    }
}

fn strike_if(fault: &Fault, place: &Place<'_>) {
    if !fault.matches(place) || !fault.claim() {
        return;
    }
    tracing::warn!(point = ?fault.point, action = ?fault.action, "disturbing this process, as CAFFEINE_FAULT asks");
    match fault.action {
        Action::Kill => {
            signal_self("-KILL");
            loop {
                std::thread::park();
            }
        }
        Action::Stop => signal_self("-STOP"),
        Action::Panic => panic!("as CAFFEINE_FAULT asks"),
        Action::Abort => std::process::abort(),
        Action::Oom => hoard(),
    }
}

fn signal_self(signal: &str) {
    let own = std::process::id().to_string();
    if let Err(error) = std::process::Command::new("kill").args([signal, &own]).status() {
        tracing::error!(%error, "cannot run kill");
        std::process::abort();
    }
}

/// Takes memory until there is none: the process ends as it does when a limit is set and reached.
fn hoard() {
    const PIECE: usize = 64 << 20;
    let mut hoard = Vec::new();
    while hoard.len() * PIECE < HOARD_AT_MOST {
        hoard.push(vec![1_u8; PIECE]);
    }
    tracing::error!(bytes = HOARD_AT_MOST, "CAFFEINE_FAULT asks to run out of memory, but there is no limit");
    std::process::abort();
}

#[cfg(test)]
mod tests {
    use caffeine_contract::{Consumer, Kind};

    use super::{Action, Fault, FaultPoint, Place};

    #[test]
    fn only_what_was_asked_for() {
        let fault = Fault::parse("chunker:files.batch:after_commit:/tmp/a:b").unwrap();
        assert_eq!(fault.marker.to_str(), Some("/tmp/a:b"));
        assert_eq!((fault.action, fault.always), (Action::Kill, false));
        let (chunker, linker) = (Consumer::Chunker.spec(), Consumer::Linker.spec());
        let batch = |point| Place::of(chunker, Kind::FilesBatch, Some("1"), point);
        assert!(fault.matches(&batch(FaultPoint::AfterCommit)));
        assert!(!fault.matches(&batch(FaultPoint::BeforeAck)));
        assert!(!fault.matches(&Place::of(chunker, Kind::FilesListed, None, FaultPoint::AfterCommit)));
        let link = Place::of(linker, Kind::LinkRequested, None, FaultPoint::AfterPull);
        assert!(Fault::parse("chunker:*:after_pull:m").unwrap().matches(&link), "the service has two consumers");
        assert!(Fault::parse("linker:*:after_pull:m").unwrap().matches(&link));
    }

    #[test]
    fn one_message_every_time() {
        let fault = Fault::parse("chunker:files.batch#3:in_handler=oom!:m").unwrap();
        assert_eq!((fault.action, fault.always), (Action::Oom, true));
        let batch = |key| Place::of(Consumer::Chunker.spec(), Kind::FilesBatch, key, FaultPoint::InHandler);
        assert!(fault.matches(&batch(Some("3"))));
        assert!(!fault.matches(&batch(Some("33"))));
        assert!(!fault.matches(&batch(None)));
    }

    #[test]
    fn a_marker_is_claimed_once_or_every_time() {
        let folder = tempfile::tempdir().unwrap();
        let marker = folder.path().join("m");
        let fault = |action: &str| Fault::parse(&format!("a:*:after_pull={action}:{}", marker.display())).unwrap();
        assert!(fault("kill").claim() && !fault("stop").claim());
        assert!(fault("abort!").claim() && fault("abort!").claim());
        assert_eq!(std::fs::read_to_string(&marker).unwrap().lines().count(), 3);
    }

    #[test]
    fn what_is_malformed_is_no_fault() {
        for text in ["", "chunker", "a:b:c:d", "a:b:after_pull", "a:b:after_pull=sing:m"] {
            assert_eq!(Fault::parse(text), None, "{text}");
        }
    }
}
