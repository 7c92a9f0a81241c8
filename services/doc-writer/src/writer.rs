//! Writes one page and asks whether its document has ended.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use caffeine_bus::{Failure, Outgoing, Rejection};
use caffeine_contract::{Scope, uuid_field, v1};
use caffeine_embedding::Embedder;
use caffeine_kit::store_failure;
use caffeine_llm::{LlmError, LlmRequest, RetryCause};
use caffeine_model::{DocumentId, DocumentState, WorkId};
use caffeine_prompt::pack::{Source, pack};
use caffeine_prompt::{Prompt, RetrieveError, Snapshot, Template};
use caffeine_sendgate::{GateError, GatedRequest, Purpose, SendGate};
use caffeine_store::doc_writer::{PageOutcome, PageRow, SymbolRow};
use caffeine_store::{PassageRow, Store, StoreError};
use tokio_util::sync::CancellationToken;

use crate::cache::MaterialCache;
use crate::facts::{Material, readme};
use crate::markdown::Written;
use crate::metrics::Metrics;
use crate::outputs::{self, Clock};
use crate::plan::{self, ApiSubject, IndexSubject, PageKind};
use crate::planner::work_of;
use crate::structural::{self, Links, MAX_API, MAX_FILES, MAX_START_HERE, ModuleInput, OverviewInput};
use crate::template::answer::page_from_answer;
use crate::template::ask::{AskError, Asker};

/// When a page comes back whose provider is busy and does not say for how long.
const PROVIDER_BUSY: Duration = Duration::from_secs(20);
/// The longest pause that a provider is believed.
const LONGEST_PAUSE: Duration = Duration::from_secs(60 * 60);
/// Symbols read of a file for the overview.
const SYMBOLS_PER_FILE: u32 = 6;
/// Variants and fields read for a page.
const MAX_MEMBERS: u32 = 20_000;

/// How the model is asked.
#[derive(Debug, Clone)]
pub struct ModelSettings {
    /// The model of templates that name none.
    pub model: String,
    /// Most tokens of an answer.
    pub max_output_tokens: u32,
    /// Most tokens of a question.
    pub context_tokens: u32,
    /// How long an asker that died keeps others from asking the same: as long as its work stays away from them.
    pub lease: Duration,
}

/// What a page's end means for the reader of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageEnd {
    /// What to publish.
    pub outputs: Vec<Outgoing>,
    /// Pages that have ended.
    pub done: u32,
    /// Pages of the document.
    pub total: u32,
}

/// The reader of `page.requested`, without the bus.
#[derive(Clone)]
pub struct PageWriter {
    store: Store,
    gate: SendGate,
    embedder: Arc<dyn Embedder>,
    settings: ModelSettings,
    clock: Clock,
    metrics: Metrics,
    cache: MaterialCache,
}

impl PageWriter {
    /// A writer.
    #[must_use]
    pub fn new(
        store: Store,
        gate: SendGate,
        embedder: Arc<dyn Embedder>,
        settings: ModelSettings,
        clock: Clock,
        metrics: Metrics,
    ) -> Self {
        Self { store, gate, embedder, settings, clock, metrics, cache: MaterialCache::default() }
    }

    /// Writes and publishes a page; one that is published already is left alone.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn write(
        &self,
        scope: &Scope,
        work: WorkId,
        message: v1::PageRequested,
        cancelled: &CancellationToken,
    ) -> Result<PageEnd, Failure> {
        let document = uuid_field("document_id", &message.document_id)
            .map_err(|error| Failure::reject("bad_request", error.to_string()))?;
        let document = DocumentId::from_uuid(document);
        let row = self.store.document(scope.workspace, document).await.map_err(store_failure)?;
        if row.is_none_or(|row| row.state == DocumentState::Cancelled) {
            return Err(Failure::Cancelled);
        }
        let page = self.store.page(scope.workspace, document, &message.slug).await.map_err(store_failure)?;
        let Some(page) = page else {
            return Err(Failure::reject("no_such_page", "The document has no such page."));
        };
        let written = if page.state == "published" {
            Written { markdown: String::new(), citations: Vec::new() }
        } else {
            self.compose(scope, work, document, &page, cancelled).await?
        };
        let outcome = self
            .store
            .publish_page(work_of(scope, work), document, &page.slug, &written.markdown, &written.citations)
            .await
            .map_err(store_failure)?;
        outcome.map(|outcome| self.end(scope, document, &outcome)).ok_or(Failure::Cancelled)
    }

    /// Gives a page up; the document goes on with the others.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn reject(
        &self,
        scope: &Scope,
        work: WorkId,
        key: &str,
        rejection: &Rejection,
    ) -> Result<PageEnd, Failure> {
        self.metrics.failed();
        let nothing = PageEnd { outputs: Vec::new(), done: 0, total: 0 };
        let Some((document, slug)) = plan::split_key(key) else { return Ok(nothing) };
        let detail = format!("{}: {}", rejection.code, rejection.reason);
        let outcome = self
            .store
            .fail_page(work_of(scope, work), document, slug, &rejection.reason, &detail)
            .await
            .map_err(store_failure)?;
        Ok(outcome.map_or(nothing, |outcome| self.end(scope, document, &outcome)))
    }

    fn end(&self, scope: &Scope, document: DocumentId, outcome: &PageOutcome) -> PageEnd {
        if outcome.ended.is_some() {
            self.cache.forget(document);
        }
        PageEnd {
            outputs: outputs::completed(scope, &self.clock, document, outcome).into_iter().collect(),
            done: outcome.published + outcome.failed,
            total: outcome.total,
        }
    }

    async fn compose(
        &self,
        scope: &Scope,
        work: WorkId,
        document: DocumentId,
        page: &PageRow,
        cancelled: &CancellationToken,
    ) -> Result<Written, Failure> {
        let begun = Instant::now();
        let material = self.cache.get(&self.store, scope, document).await.map_err(store_failure)?;
        let Some(material) = material else { return Err(Failure::Cancelled) };
        let Some(kind) = PageKind::from_word(&page.kind) else {
            return Err(Failure::reject(
                "unknown_page_kind",
                format!("No writer for pages of the kind `{}`.", page.kind),
            ));
        };
        let written = match kind {
            PageKind::Template => self.ask_model(scope, work, &material, page, cancelled).await?,
            _ => self.structural(scope, &material, page, kind).await.map_err(store_failure)?,
        };
        self.metrics.written(kind.as_str(), begun.elapsed());
        Ok(written)
    }

    /// Reads what a page needs and writes it.
    async fn structural(
        &self,
        scope: &Scope,
        material: &Material,
        page: &PageRow,
        kind: PageKind,
    ) -> Result<Written, StoreError> {
        let (store, facts) = (&self.store, &material.facts);
        let (workspace, run, analyser) = (scope.workspace, scope.run, scope.analyser.as_str());
        let links = Links::new(&material.pages);
        Ok(match kind {
            PageKind::Overview => {
                let readme = readme(store, scope, facts, "").await?;
                let top: Vec<String> =
                    facts.source_files().into_iter().take(MAX_START_HERE).map(|file| file.path.clone()).collect();
                let symbols = store.file_symbols(workspace, run, analyser, &top, SYMBOLS_PER_FILE).await?;
                let notice = material.document.notice.as_deref();
                structural::overview(&OverviewInput {
                    facts,
                    links: &links,
                    notice,
                    readme: readme.as_ref(),
                    symbols: &symbols,
                })
            }
            PageKind::Module => {
                let modules: Vec<_> = plan::module_slugs(&page.subject).filter_map(|slug| facts.module(slug)).collect();
                let [module] = modules.as_slice() else {
                    return Ok(structural::small_modules(&page.title, &modules, facts, &links));
                };
                let readme = readme(store, scope, facts, &module.path).await?;
                let paths: Vec<String> =
                    facts.files_of(&module.slug).into_iter().take(MAX_FILES).map(|file| file.path.clone()).collect();
                let file_docs = store.file_symbols(workspace, run, analyser, &paths, 1).await?;
                let limit = u32::try_from(MAX_API + 1).unwrap_or(u32::MAX);
                let only = [module.slug.clone()];
                let api = store.api_symbols(workspace, run, analyser, &only, 0, limit).await?;
                let members = self.members(scope, &api).await?;
                structural::module(
                    module,
                    &ModuleInput {
                        facts,
                        links: &links,
                        readme: readme.as_ref(),
                        file_docs: &file_docs,
                        api: &api,
                        members: &members,
                    },
                )
            }
            PageKind::Api => match plan::api_subject(&page.subject) {
                ApiSubject::Contents => structural::api_contents(&page.title, facts, &links),
                ApiSubject::Part(part) => {
                    let (modules, offset) = facts.modules_of_api(part.offset, part.limit);
                    let symbols = store.api_symbols(workspace, run, analyser, &modules, offset, part.limit).await?;
                    let members = self.members(scope, &symbols).await?;
                    structural::api_part(&page.title, facts, &links, &symbols, &members, part)
                }
            },
            PageKind::Symbols => match plan::index_subject(&page.subject) {
                IndexSubject::Contents => structural::symbol_contents(&page.title, facts, &links),
                IndexSubject::Part(letter, part) => {
                    let offset = facts.symbols_before(&letter).saturating_add(part.offset);
                    let limit = part.limit.min(facts.symbols_of(&letter).saturating_sub(part.offset));
                    let symbols = store.symbol_index(workspace, run, analyser, offset, limit).await?;
                    structural::symbol_part(&page.title, facts, &links, &symbols)
                }
            },
            PageKind::Dependencies => structural::dependencies(&page.title, facts, &links),
            PageKind::Report | PageKind::Template => structural::report(&page.title, facts),
        })
    }

    /// Variants and fields of the types among these symbols.
    async fn members(&self, scope: &Scope, symbols: &[SymbolRow]) -> Result<Vec<SymbolRow>, StoreError> {
        let paths: BTreeSet<&str> = symbols.iter().map(|symbol| symbol.path.as_str()).collect();
        let paths: Vec<String> = paths.into_iter().map(str::to_owned).collect();
        self.store.api_members(scope.workspace, scope.run, &scope.analyser, &paths, MAX_MEMBERS).await
    }

    /// Asks the model, with less text or more room for the answer if the first question does not fit.
    async fn ask_model(
        &self,
        scope: &Scope,
        work: WorkId,
        material: &Material,
        page: &PageRow,
        cancelled: &CancellationToken,
    ) -> Result<Written, Failure> {
        let template: Template = material
            .document
            .template
            .clone()
            .and_then(|template| serde_json::from_value(template).ok())
            .ok_or_else(|| Failure::reject("bad_template", "The stored template cannot be read."))?;
        let facts = &material.facts;
        let prompt = Prompt::new(&template, facts.main_language(), &facts.run.repository);
        let model = if template.model.is_empty() { &self.settings.model } else { &template.model };
        let passages = if prompt.has_slot() { self.passages(scope, template.question()).await? } else { Vec::new() };
        let asker = Asker {
            store: &self.store,
            gate: &self.gate,
            metrics: &self.metrics,
            work: work_of(scope, work),
            repository: scope.repository,
            document: material.document.document,
            slug: &page.slug,
            lease: self.settings.lease,
            cancelled,
        };
        let mut budget = self.settings.context_tokens.saturating_sub(prompt.tokens());
        let mut max_tokens = self.settings.max_output_tokens;
        let mut error = None;
        // Each change is made at most once or twice, so three questions are the most.
        for _ in 0..3 {
            let sources = pack(&passages, budget);
            let request = prompt.request(&sources, model, max_tokens);
            match asker.ask(gated(request, &sources)).await {
                Ok(answer) => return Ok(page_from_answer(&page.title, &answer, facts, &sources, model)),
                Err(AskError::Gate(GateError::Model(LlmError::Repack))) => budget = budget / 10 * 6,
                Err(AskError::Gate(GateError::Model(LlmError::Truncated))) => max_tokens = max_tokens.saturating_mul(2),
                Err(other) => return Err(ask_failure(other)),
            }
            error = Some((budget, max_tokens));
        }
        tracing::warn!(?error, "the question does not fit the model");
        Err(Failure::reject(
            "does_not_fit",
            "The question or its answer does not fit the model: lower `context_tokens` or raise `max_output_tokens`.",
        ))
    }

    /// Passages for a question, best first, then the beginnings of the most important files.
    async fn passages(&self, scope: &Scope, question: &str) -> Result<Vec<PassageRow>, Failure> {
        let snapshot = Snapshot {
            workspace: scope.workspace,
            run: scope.run,
            analyser: &scope.analyser,
            embedding_model: &scope.embedding_model,
        };
        caffeine_prompt::passages(&self.store, self.embedder.as_ref(), &snapshot, question).await.map_err(|error| {
            match error {
                RetrieveError::Embed(error) => Failure::retry(format!("embed the question: {error}")),
                RetrieveError::Store(error) => store_failure(error),
            }
        })
    }
}

fn gated(request: LlmRequest, sources: &[Source]) -> GatedRequest {
    GatedRequest { purpose: Purpose::Template, sources: sources.iter().map(Source::reference).collect(), request }
}

/// What a failed question means for the page, as a sentence that says what to do.
fn ask_failure(error: AskError) -> Failure {
    let error = match error {
        AskError::Store(error) => return store_failure(error),
        AskError::Cancelled | AskError::Taken => return Failure::HandBack { after: Duration::from_secs(1) },
        AskError::Gate(GateError::Model(error)) => error,
        AskError::Gate(GateError::Forbidden | GateError::NoClient) => {
            return Failure::reject(
                "no_model",
                "No model is configured any more: set an API key and write the document again.",
            );
        }
        AskError::Gate(other) => return Failure::reject("not_sent", format!("The request was not sent: {other}.")),
    };
    match error {
        // Nobody's fault and nothing paid: however long it lasts, no attempt is used up, and no slot waits.
        LlmError::Retry { after, cause: cause @ (RetryCause::RateLimited | RetryCause::Overloaded) } => {
            let after = after.unwrap_or(PROVIDER_BUSY).clamp(Duration::from_secs(1), LONGEST_PAUSE);
            tracing::warn!(%cause, seconds = after.as_secs(), "the model has no time; the page waits");
            Failure::HandBack { after }
        }
        LlmError::Retry { after, cause } => {
            Failure::Retry { after, reason: format!("The model did not answer: {cause}.") }
        }
        LlmError::Auth => {
            Failure::reject("model_key", "The model's provider does not accept the API key: check `anthropic_api_key`.")
        }
        LlmError::StopRun { code, .. } => Failure::reject(
            "model_stopped",
            format!(
                "The model's provider refuses all calls ({code}): check the account, its limits and the model's name."
            ),
        ),
        LlmError::Reject { code, .. } => {
            Failure::reject("model_rejected", format!("The model's provider rejected the request ({code})."))
        }
        LlmError::Refused { category } => {
            let why = category.map(|category| format!(" ({category})")).unwrap_or_default();
            Failure::reject("model_declined", format!("The model declined to write this page{why}."))
        }
        LlmError::Repack | LlmError::Truncated => {
            Failure::reject("does_not_fit", "The question does not fit the model.")
        }
    }
}
