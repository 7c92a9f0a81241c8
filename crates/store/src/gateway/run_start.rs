//! The start of a run: from here on it is asked for on the bus.

use caffeine_model::{
    CredentialId, DocumentId, Generation, RepositoryId, RunId, RunState, TemplateVersionId, WorkspaceId,
};
use sqlx::PgConnection;

use super::outbox::{self, OutboxBody};
use super::runs::Versions;
use crate::StoreError;

/// Everything that the messages of a starting run say.
#[derive(Debug, Clone)]
pub struct RunStart {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// The repository.
    pub repository: RepositoryId,
    /// The run.
    pub run: RunId,
    /// The repository's address.
    pub url: String,
    /// Branch, tag or commit; empty for the remote's HEAD.
    pub reference: String,
    /// What the host asks for, if anything.
    pub credential: Option<CredentialId>,
    /// What the run is fixed to.
    pub versions: Versions,
    /// How often it has been asked again.
    pub generation: Generation,
    /// What is to be written.
    pub documents: Vec<DocumentStart>,
}

/// A document of a starting run.
#[derive(Debug, Clone)]
pub struct DocumentStart {
    /// Its identifier.
    pub id: DocumentId,
    /// Its title.
    pub title: String,
    /// By which template; `None` is structural.
    pub template: Option<TemplateStart>,
}

/// A template as it is when the run starts.
#[derive(Debug, Clone)]
pub struct TemplateStart {
    /// Its version.
    pub version: TemplateVersionId,
    /// Its name.
    pub name: String,
    /// The system prompt.
    pub system: String,
    /// The body with its placeholders.
    pub body: String,
    /// Value of `{style}`.
    pub style: String,
    /// BCP 47 tag of the prose.
    pub output_language: String,
    /// What to retrieve; empty for the template's name.
    pub query: String,
    /// The model; empty for the installation's default.
    pub model: String,
}

/// Makes the messages of a starting run. The store knows no message, so the gateway brings this.
pub(super) type Announce<'a> = &'a (dyn Fn(&RunStart) -> Vec<OutboxBody> + Send + Sync);

/// Moves a run to *pending*, fixes it to the present versions and writes its messages.
pub(super) async fn start(
    connection: &mut PgConnection,
    run: RunId,
    versions: &Versions,
    announce: Announce<'_>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE runs SET state = $2, analyser = $3, embedding_model = $4, progressed_at = now() WHERE run_id = $1",
        run.as_uuid(),
        RunState::Pending.as_str(),
        versions.analyser,
        versions.embedding_model
    )
    .execute(&mut *connection)
    .await?;
    ask(connection, run, Generation(0), announce).await
}

/// Writes the messages that begin a run: those of its documents that have ended are left out.
pub(super) async fn ask(
    connection: &mut PgConnection,
    run: RunId,
    generation: Generation,
    announce: Announce<'_>,
) -> Result<(), StoreError> {
    let row = sqlx::query!(
        "SELECT r.workspace_id, r.repository_id, r.ref AS reference, r.analyser, r.embedding_model, p.url, \
                p.credential_id \
         FROM runs r JOIN repositories p USING (repository_id) WHERE r.run_id = $1",
        run.as_uuid()
    )
    .fetch_one(&mut *connection)
    .await?;
    let documents = sqlx::query!(
        r#"SELECT d.document_id, d.title, d.style, d.output_language, d.model, d.query,
                  v.template_version_id AS "version?", v.system AS "system?", v.body AS "body?", t.name AS "name?"
           FROM run_documents d
           LEFT JOIN prompt_versions v USING (template_version_id)
           LEFT JOIN prompt_templates t USING (template_id)
           WHERE d.run_id = $1 AND d.state IN ('requested', 'writing') ORDER BY d.document_id"#,
        run.as_uuid()
    )
    .fetch_all(&mut *connection)
    .await?;
    let workspace = WorkspaceId::from_uuid(row.workspace_id);
    let started = RunStart {
        workspace,
        repository: RepositoryId::from_uuid(row.repository_id),
        run,
        url: row.url,
        reference: row.reference,
        credential: row.credential_id.map(CredentialId::from_uuid),
        versions: Versions { analyser: row.analyser, embedding_model: row.embedding_model },
        generation,
        documents: documents
            .into_iter()
            .map(|document| DocumentStart {
                id: DocumentId::from_uuid(document.document_id),
                title: document.title,
                template: document.version.map(|version| TemplateStart {
                    version: TemplateVersionId::from_uuid(version),
                    name: document.name.unwrap_or_default(),
                    system: document.system.unwrap_or_default(),
                    body: document.body.unwrap_or_default(),
                    style: document.style,
                    output_language: document.output_language,
                    query: document.query,
                    model: document.model,
                }),
            })
            .collect(),
    };
    outbox::insert(connection, workspace, run, &announce(&started)).await
}
