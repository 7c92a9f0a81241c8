//! What a protobuf type needs to travel as work.

use bytes::Bytes;

use crate::table::Kind;
use crate::v1;

/// A body that is work: it has a row in the table, belongs to a run, and has a key that tells it apart from its
/// siblings.
pub trait Message: prost::Message + Default + Send + Sync + 'static {
    /// Its row.
    const KIND: Kind;

    /// The run it belongs to.
    fn scope(&self) -> Option<&v1::Scope>;

    /// Writes the run it belongs to.
    fn set_scope(&mut self, scope: v1::Scope);

    /// Tells messages of one kind apart within a run; see [`crate::MessageSpec::key`].
    fn key(&self) -> String;
}

macro_rules! messages {
    ($($name:ident => $key:expr;)*) => {$(
        impl Message for v1::$name {
            const KIND: Kind = Kind::$name;

            fn scope(&self) -> Option<&v1::Scope> {
                self.scope.as_ref()
            }

            fn set_scope(&mut self, scope: v1::Scope) {
                self.scope = Some(scope);
            }

            fn key(&self) -> String {
                let key: fn(&Self) -> String = $key;
                key(self)
            }
        }
    )*};
}

messages! {
    CloneRequested => |_| String::new();
    CloneProbe => |message| id_text(&message.probe_id);
    FilesBatch => |message| message.batch.to_string();
    FilesListed => |_| String::new();
    ChunksBatch => |message| message.batch.to_string();
    ChunksListed => |_| String::new();
    LinkRequested => |_| String::new();
    DocumentRequested => |message| id_text(&message.document_id);
    DocumentReady => |message| message.phase().as_str_name().to_owned();
    PageRequested => |message| format!("{}/{}", id_text(&message.document_id), message.slug);
    RunTransition => |message| message.transition.as_ref().map_or_else(String::new, transition_key);
}

/// The name of a fact, unique in its run: what makes the projector apply it once.
#[must_use]
pub fn transition_key(transition: &v1::run_transition::Transition) -> String {
    use v1::run_transition::Transition;
    match transition {
        Transition::CloneStarted(_) => "clone_started".to_owned(),
        Transition::Planned(_) => "planned".to_owned(),
        Transition::Cloned(_) => "cloned".to_owned(),
        Transition::Analysed(_) => "analysed".to_owned(),
        Transition::Indexed(_) => "indexed".to_owned(),
        Transition::DocumentPlanned(planned) => format!("document_planned/{}", id_text(&planned.document_id)),
        Transition::DocumentCompleted(done) => format!("document_completed/{}", id_text(&done.document_id)),
        Transition::Failed(failed) => format!("failed/{}", failed.stage),
        Transition::Cancelled(_) => "cancelled".to_owned(),
        Transition::AskedAgain(again) => format!("asked_again/{}", again.generation),
        Transition::VersionGone(_) => "version_gone".to_owned(),
    }
}

/// The text of an identifier's bytes; empty if they are none (the handler rejects such a message).
fn id_text(bytes: &Bytes) -> String {
    uuid::Uuid::from_slice(bytes).map(|uuid| uuid.to_string()).unwrap_or_default()
}
