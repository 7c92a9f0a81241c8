//! The messages of a starting run.

use caffeine_bus::Outgoing;
use caffeine_contract::{Message, Scope, id_bytes, v1};
use caffeine_model::Lane;
use caffeine_store::gateway::{DocumentStart, OutboxBody, RunStart};

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
        credential_id: bytes::Bytes::new(),
    };
    let documents = run.documents.iter().map(|document| outbox_body(&scope, document_requested(document)));
    std::iter::once(outbox_body(&scope, clone)).chain(documents).collect()
}

fn outbox_body<M: Message>(scope: &Scope, message: M) -> OutboxBody {
    let outgoing = Outgoing::new(scope, message);
    OutboxBody { kind: outgoing.kind.spec().name, body: outgoing.body.to_vec() }
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
