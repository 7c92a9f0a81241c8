//! Joins the halves of a run with the documents that wait for them, and plans their pages.

use caffeine_bus::{Failure, Outgoing, Rejection};
use caffeine_contract::{Scope, uuid_field, v1};
use caffeine_kit::store_failure;
use caffeine_model::{DocumentId, DocumentState, WorkId};
use caffeine_prompt::Template;
use caffeine_sendgate::SendGate;
use caffeine_store::Store;
use caffeine_store::doc_writer::{Half, NewDocument, Outcome, Readiness, RunReadiness, Work};

use crate::facts::load_facts;
use crate::outputs::{self, Clock};
use crate::plan;

/// Longest title of a document, in characters.
const MAX_TITLE_CHARS: usize = 200;

/// The reader of `document.requested` and `document.ready`, without the bus.
#[derive(Clone)]
pub struct Planner {
    store: Store,
    gate: SendGate,
    clock: Clock,
}

impl Planner {
    /// A planner. The gate only tells whether a model can be asked.
    #[must_use]
    pub fn new(store: Store, gate: SendGate, clock: Clock) -> Self {
        Self { store, gate, clock }
    }

    /// Stores a request and begins the document if its run is ready.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn requested(
        &self,
        scope: &Scope,
        work: WorkId,
        message: v1::DocumentRequested,
    ) -> Result<Vec<Outgoing>, Failure> {
        let new = new_document(scope, &message).map_err(|reason| Failure::reject("bad_request", reason))?;
        let work = work_of(scope, work);
        let readiness = self.store.request_document(work, &new).await.map_err(store_failure)?;
        self.go_on(scope, work, readiness).await
    }

    /// Stores that a half of a run is there and begins its documents if it was the last.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn ready(
        &self,
        scope: &Scope,
        work: WorkId,
        message: v1::DocumentReady,
    ) -> Result<Vec<Outgoing>, Failure> {
        let half = half(message.phase()).ok_or_else(|| Failure::reject("bad_request", "The phase is unknown."))?;
        let failure =
            message.failure.map(|failure| if failure.reason.is_empty() { failure.code } else { failure.reason });
        let work = work_of(scope, work);
        let readiness =
            self.store.half_ready(work, half, failure.as_deref(), Outcome::Done).await.map_err(store_failure)?;
        self.go_on(scope, work, readiness).await
    }

    /// Ends a request that cannot be served: the document fails.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn reject_requested(
        &self,
        scope: &Scope,
        work: WorkId,
        key: &str,
        message: Option<v1::DocumentRequested>,
        rejection: &Rejection,
    ) -> Result<Vec<Outgoing>, Failure> {
        let known = message.and_then(|message| new_document(scope, &message).ok());
        let from_key = || {
            let document = key.parse().ok()?;
            Some(NewDocument { document, repository: scope.repository, title: String::new(), template: None })
        };
        // Without an identifier there is nothing that could end.
        let Some(new) = known.or_else(from_key) else { return Ok(Vec::new()) };
        let detail = format!("{}: {}", rejection.code, rejection.reason);
        self.store
            .reject_document(work_of(scope, work), &new, &rejection.reason, &detail)
            .await
            .map_err(store_failure)?;
        Ok(vec![outputs::failed(scope, &self.clock, new.document, &rejection.code, &rejection.reason)])
    }

    /// Ends a half that cannot be read: the documents of the run fail.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn reject_ready(
        &self,
        scope: &Scope,
        work: WorkId,
        rejection: &Rejection,
    ) -> Result<Vec<Outgoing>, Failure> {
        let work = work_of(scope, work);
        let detail = format!("{}: {}", rejection.code, rejection.reason);
        let readiness = self
            .store
            .half_ready(work, Half::Analysed, Some(&rejection.reason), Outcome::Rejected(&detail))
            .await
            .map_err(store_failure)?;
        self.go_on(scope, work, readiness).await
    }

    async fn go_on(&self, scope: &Scope, work: Work, readiness: Readiness) -> Result<Vec<Outgoing>, Failure> {
        let mut outputs = Vec::new();
        match readiness.state {
            RunReadiness::Waiting => {}
            RunReadiness::Failed(reason) => {
                for document in readiness.documents {
                    // One that had begun is not concerned: it ends by its own pages, so they are asked for again.
                    if self.has_begun(scope, document).await? {
                        outputs.extend(self.begin(scope, work, document).await?);
                    } else {
                        outputs.push(outputs::failed(scope, &self.clock, document, "run_failed", &reason));
                    }
                }
            }
            RunReadiness::Ready => {
                for document in readiness.documents {
                    outputs.extend(self.begin(scope, work, document).await?);
                }
            }
        }
        Ok(outputs)
    }

    async fn has_begun(&self, scope: &Scope, document: DocumentId) -> Result<bool, Failure> {
        let pages = self.store.document_pages(scope.workspace, document).await.map_err(store_failure)?;
        Ok(!pages.is_empty())
    }

    /// Plans the pages of a document, unless that was done before; the answer comes from the rows either way.
    async fn begin(&self, scope: &Scope, work: Work, document: DocumentId) -> Result<Vec<Outgoing>, Failure> {
        let Some(row) = self.store.document(scope.workspace, document).await.map_err(store_failure)? else {
            return Err(Failure::Cancelled);
        };
        let (notice, pages) = if row.state == DocumentState::Requested {
            self.plan(scope, &row.title, row.template.as_ref()).await?
        } else {
            (None, Vec::new())
        };
        self.store.begin_document(work, document, notice.as_deref(), &pages).await.map_err(store_failure)?;
        let pages = self.store.document_pages(scope.workspace, document).await.map_err(store_failure)?;
        if pages.is_empty() {
            let reason = row.notice.unwrap_or_else(|| "The document has no pages.".to_owned());
            return Ok(vec![outputs::failed(scope, &self.clock, document, "run_failed", &reason)]);
        }
        // Requests come through the interactive lane; pages take the lane that the run's plan chose.
        let lane = self.store.run_lane(scope.workspace, scope.run).await.map_err(store_failure)?;
        let scope = scope.in_lane(lane);
        let mut outgoing = vec![outputs::planned(&scope, &self.clock, document, pages.len())];
        outgoing.extend(pages.iter().map(|page| outputs::page_requested(&scope, document, &page.slug)));
        Ok(outgoing)
    }

    async fn plan(
        &self,
        scope: &Scope,
        title: &str,
        template: Option<&serde_json::Value>,
    ) -> Result<(Option<String>, Vec<caffeine_store::doc_writer::NewPage>), Failure> {
        let template: Option<Template> = template
            .map(|template| serde_json::from_value(template.clone()))
            .transpose()
            .map_err(|_| Failure::reject("bad_template", "The stored template cannot be read."))?;
        if template.is_some() && self.gate.is_open() {
            return Ok((None, plan::template_pages(title)));
        }
        let Some(facts) = load_facts(&self.store, scope).await.map_err(store_failure)? else {
            return Err(Failure::Cancelled);
        };
        let notice = template.map(|template| {
            format!(
                "No model is configured (no API key, or sending is switched off), so this document was written from the \
                 analysis alone and the prompt template “{}” was not used.",
                template.name
            )
        });
        Ok((notice, plan::structural_pages(&facts)))
    }
}

pub(crate) fn work_of(scope: &Scope, id: WorkId) -> Work {
    Work { id, workspace: scope.workspace, run: scope.run }
}

fn half(phase: v1::Phase) -> Option<Half> {
    match phase {
        v1::Phase::Analysed => Some(Half::Analysed),
        v1::Phase::Indexed => Some(Half::Indexed),
        v1::Phase::Unspecified => None,
    }
}

/// The row of a request; PostgreSQL stores no NUL.
fn new_document(scope: &Scope, message: &v1::DocumentRequested) -> Result<NewDocument, String> {
    let document = uuid_field("document_id", &message.document_id).map_err(|error| error.to_string())?;
    let clean = |text: &str| text.replace('\0', "");
    let template = match &message.writer {
        Some(v1::document_requested::Writer::Template(template)) => Some(Template {
            version: uuid_field("template_version_id", &template.template_version_id).ok(),
            name: clean(&template.name),
            system: clean(&template.system),
            body: clean(&template.body),
            style: clean(&template.style),
            output_language: clean(&template.output_language),
            query: clean(&template.query),
            model: clean(&template.model),
        }),
        Some(v1::document_requested::Writer::Structural(_)) | None => None,
    };
    let template = template.map(serde_json::to_value).transpose().map_err(|error| error.to_string())?;
    Ok(NewDocument {
        document: DocumentId::from_uuid(document),
        repository: scope.repository,
        title: clean(&message.title).chars().take(MAX_TITLE_CHARS).collect(),
        template,
    })
}
