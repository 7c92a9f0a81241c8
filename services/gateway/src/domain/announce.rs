//! What the gateway says on the bus: the messages of a starting run, commands to all pods, and that there is something
//! new to read.

use caffeine_bus::{Outgoing, traceparent};
use caffeine_contract::{Command, Message, Scope, id_bytes, v1};
use caffeine_model::{Lane, RepositoryId, RunId, WorkspaceId};
use caffeine_store::gateway::{DocumentStart, OutboxBody, RunStart};

/// Last token of the subject of the event that says that there is something new to read.
pub(crate) const RUN_CHANGED: &str = "run_changed";

/// One request to clone, and one for each document.
pub(crate) fn announce(run: &RunStart) -> Vec<OutboxBody> {
    let scope = Scope {
        workspace: run.workspace,
        repository: run.repository,
        run: run.run,
        generation: run.generation,
        // The cloner chooses the lane of everything that follows.
        lane: Lane::Interactive,
        analyser: run.versions.analyser.clone(),
        embedding_model: run.versions.embedding_model.clone(),
    };
    let clone = v1::CloneRequested {
        scope: None,
        url: run.url.clone(),
        r#ref: run.reference.clone(),
        credential_id: run.credential.map(|id| id_bytes(id.as_uuid())).unwrap_or_default(),
    };
    let documents = run.documents.iter().map(|document| outbox_body(&scope, document_requested(document)));
    std::iter::once(outbox_body(&scope, clone)).chain(documents).collect()
}

/// Tells every pod to drop the work of a run.
pub(crate) fn cancel_command(workspace: WorkspaceId, run: RunId) -> OutboxBody {
    command_body(&Command::CancelRun { workspace, run })
}

/// Tells every pod to drop the work of a repository, and to forget what is kept of it.
pub(crate) fn delete_command(workspace: WorkspaceId, repository: RepositoryId, runs: Vec<RunId>) -> OutboxBody {
    command_body(&Command::DeleteRepository { workspace, repository, runs })
}

/// Tells readers that a run's events go up to this sequence.
pub(crate) fn run_changed(scope: &Scope, sequence: u64) -> v1::Event {
    let changed = v1::RunChanged { sequence };
    v1::Event { scope: Some(scope.to_wire()), event: Some(v1::event::Event::RunChanged(changed)) }
}

fn command_body(command: &Command) -> OutboxBody {
    OutboxBody { kind: Command::KIND, body: command.encode().to_vec(), traceparent: traceparent() }
}

fn outbox_body<M: Message>(scope: &Scope, message: M) -> OutboxBody {
    let outgoing = Outgoing::new(scope, message);
    OutboxBody { kind: outgoing.kind.spec().name, body: outgoing.body.to_vec(), traceparent: traceparent() }
}

fn document_requested(document: &DocumentStart) -> v1::DocumentRequested {
    use v1::document_requested::Writer;
    let writer = match &document.template {
        None => Writer::Structural(v1::StructuralWriter {}),
        Some(template) => Writer::Template(v1::TemplateWriter {
            template_version_id: id_bytes(template.version.as_uuid()),
            name: template.name.clone(),
            system: template.system.clone(),
            body: template.body.clone(),
            style: template.style.clone(),
            output_language: template.output_language.clone(),
            query: template.query.clone(),
            model: template.model.clone(),
        }),
    };
    v1::DocumentRequested {
        scope: None,
        document_id: id_bytes(document.id.as_uuid()),
        title: document.title.clone(),
        writer: Some(writer),
    }
}
