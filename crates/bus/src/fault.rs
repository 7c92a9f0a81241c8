//! Named points at which a test kills the process. Nothing happens unless the environment asks for it.
//!
//! `CAFFEINE_FAULT=<service or durable>:<message>:<point>:<marker>`, for instance
//! `chunker:files.batch:after_commit:/tmp/killed-once`. The message may be `*`; the points are `after_pull`,
//! `after_commit`, `after_publish` and `before_ack`. The first time the point is reached the process makes the marker
//! file and kills itself with SIGKILL; where the file exists nothing happens, so the restarted process lives.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::OnceLock;

use caffeine_contract::{ConsumerSpec, Kind};

/// A point in the life of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultPoint {
    /// The message was pulled; nothing has been done.
    AfterPull,
    /// The transaction is committed; nothing has been published.
    AfterCommit,
    /// An output has been published and acknowledged.
    AfterPublish,
    /// Everything is done but the acknowledgement.
    BeforeAck,
}

impl FaultPoint {
    const ALL: [(Self, &'static str); 4] = [
        (Self::AfterPull, "after_pull"),
        (Self::AfterCommit, "after_commit"),
        (Self::AfterPublish, "after_publish"),
        (Self::BeforeAck, "before_ack"),
    ];
}

#[derive(Debug, PartialEq, Eq)]
struct Fault {
    reader: String,
    message: String,
    point: FaultPoint,
    marker: PathBuf,
}

impl Fault {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, ':');
        let (reader, message, point, marker) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let (point, _) = FaultPoint::ALL.into_iter().find(|(_, word)| *word == point)?;
        Some(Self { reader: reader.to_owned(), message: message.to_owned(), point, marker: marker.into() })
    }

    fn matches(&self, spec: &ConsumerSpec, kind: Kind, point: FaultPoint) -> bool {
        self.point == point
            && (self.reader == spec.durable || self.reader == spec.service.as_str())
            && (self.message == "*" || self.message == kind.spec().name)
    }
}

/// Kills the process if the environment asks for it at this point.
pub(crate) fn reached(spec: &ConsumerSpec, kind: Kind, point: FaultPoint) {
    static FAULT: OnceLock<Option<Fault>> = OnceLock::new();
    let fault = FAULT.get_or_init(|| {
        let text = std::env::var("CAFFEINE_FAULT").ok()?;
        let fault = Fault::parse(&text);
        if fault.is_none() {
            tracing::error!(text, "CAFFEINE_FAULT is not <service>:<message>:<point>:<marker>");
        }
        fault
    });
    if let Some(fault) = fault
        && fault.matches(spec, kind, point)
    {
        kill_once(fault);
    }
}

fn kill_once(fault: &Fault) {
    match std::fs::File::create_new(&fault.marker) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return,
        Err(error) => {
            tracing::error!(marker = %fault.marker.display(), %error, "cannot make the marker of CAFFEINE_FAULT");
            return;
        }
    }
    tracing::warn!(point = ?fault.point, "killing this process, as CAFFEINE_FAULT asks");
    let own = std::process::id().to_string();
    if let Err(error) = std::process::Command::new("kill").args(["-9", &own]).status() {
        tracing::error!(%error, "cannot run kill");
        std::process::abort();
    }
    loop {
        std::thread::park();
    }
}

#[cfg(test)]
mod tests {
    use caffeine_contract::{Consumer, Kind};

    use super::{Fault, FaultPoint};

    #[test]
    fn only_what_was_asked_for() {
        let fault = Fault::parse("chunker:files.batch:after_commit:/tmp/a:b").unwrap();
        assert_eq!(fault.marker.to_str(), Some("/tmp/a:b"));
        let (chunker, linker) = (Consumer::Chunker.spec(), Consumer::Linker.spec());
        assert!(fault.matches(chunker, Kind::FilesBatch, FaultPoint::AfterCommit));
        assert!(!fault.matches(chunker, Kind::FilesBatch, FaultPoint::BeforeAck));
        assert!(!fault.matches(chunker, Kind::FilesListed, FaultPoint::AfterCommit));
        let any = Fault::parse("chunker:*:after_pull:m").unwrap();
        assert!(any.matches(linker, Kind::LinkRequested, FaultPoint::AfterPull), "the service has two consumers");
        assert!(Fault::parse("linker:*:after_pull:m").unwrap().matches(
            linker,
            Kind::LinkRequested,
            FaultPoint::AfterPull
        ));
    }

    #[test]
    fn what_is_malformed_is_no_fault() {
        for text in ["", "chunker", "a:b:c:d", "a:b:after_pull"] {
            assert_eq!(Fault::parse(text), None, "{text}");
        }
    }
}
