//! What a model would be asked with a prompt template.

use caffeine_llm::{Block as Sent, estimate_tokens};
use caffeine_model::RepositoryId;
use caffeine_prompt::pack::{Source, pack};
use caffeine_prompt::{Prompt, RetrieveError, Snapshot, Template, passages};
use caffeine_sendgate::{clean, redact};
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};
use serde::Deserialize;
use uuid::Uuid;

use super::auth::Auth;
use super::body::Body;
use super::repositories::{MAX_TEXT, text};
use super::{ApiError, App, Tag};
use crate::domain::template::{self, TemplateError};

/// Tokens of a question: rules, template and passages together; what the doc-writer takes unless it is told otherwise.
const CONTEXT_TOKENS: u32 = 30_000;

pub(crate) struct PreviewsApi {
    pub(crate) app: App,
}

/// A template to be tried.
#[derive(Debug, Object, Deserialize)]
#[oai(skip_serializing_if_is_none)]
#[serde(deny_unknown_fields)]
struct PreviewRequest {
    /// The system prompt.
    system: String,
    /// The body with its placeholders.
    body: String,
    /// Identifier of the repository whose text fills `{code}`.
    repository: Uuid,
    /// What to retrieve for `{code}`.
    query: String,
    /// Value of `{style}`.
    style: Option<String>,
    /// BCP 47 tag of the prose; `en` if absent.
    output_language: Option<String>,
    /// The model; the installation's default if absent.
    model: Option<String>,
}

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
enum BlockKind {
    /// The template's words.
    Text,
    /// Lines of the repository.
    Source,
}

/// A part of what a model would be asked.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct Block {
    kind: BlockKind,
    /// As it would leave the house: without secrets and hidden characters.
    text: String,
    /// Of a source.
    path: Option<String>,
    /// Of a source; from 1.
    start_line: Option<u32>,
    /// Of a source; included.
    end_line: Option<u32>,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
enum Severity {
    /// The template cannot be stored or used like this.
    Error,
    /// It can, but somebody should look.
    Warning,
    /// Good to know.
    Info,
}

/// What was noticed.
#[derive(Debug, Object)]
struct Finding {
    severity: Severity,
    message: String,
}

/// What a model would be asked.
#[derive(Debug, Object)]
struct Preview {
    /// Our own rules, then the template's system prompt.
    system: String,
    /// In order.
    blocks: Vec<Block>,
    /// A careful estimate.
    estimated_input_tokens: u32,
    findings: Vec<Finding>,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Prompts")]
impl PreviewsApi {
    /// Show what a model would be asked
    ///
    /// With passages of a repository's latest snapshot in the place of `{code}`. Nothing is sent to a model, and nothing
    /// is stored.
    #[oai(path = "/prompts/preview", method = "post", operation_id = "preview_prompt")]
    async fn preview(&self, auth: Auth, body: Body<PreviewRequest>) -> Result<Json<Preview>, ApiError> {
        let mut findings = Findings::default();
        findings.template(&body.system, &body.body)?;
        let template = template_of(&body.0)?;
        let repository = self.app.repository(&auth.0, RepositoryId::from_uuid(body.repository)).await?;
        let snapshot = self.app.store.snapshot_of(auth.0.workspace, repository.id, None).await?.ok_or_else(|| {
            let detail = "The repository has no snapshot that can be searched yet. Wait for its first run.";
            ApiError::conflict("not_indexed", detail)
        })?;
        let language = self.app.store.main_language(&snapshot).await?.unwrap_or_default();
        let prompt = Prompt::new(&template, &language, &repository.name);
        let budget = CONTEXT_TOKENS.saturating_sub(prompt.tokens());
        if budget == 0 {
            findings.add(Severity::Error, format!("The template alone takes more than {CONTEXT_TOKENS} tokens."));
        }
        let sources = if prompt.has_slot() {
            let snapshot = Snapshot {
                workspace: auth.0.workspace,
                run: snapshot.run,
                analyser: &snapshot.analyser,
                embedding_model: &snapshot.embedding_model,
            };
            let found = passages(&self.app.store, self.app.embedder.as_ref(), &snapshot, template.question()).await;
            pack(&found.map_err(retrieve_error)?, budget)
        } else {
            Vec::new()
        };
        if prompt.has_slot() && sources.is_empty() {
            findings.add(Severity::Warning, "No passage of the repository was found for the query.".to_owned());
        }
        let mut request = prompt.request(&sources, &template.model, 1);
        let cleaned = clean(&mut request);
        for redaction in &cleaned.redactions {
            let message =
                format!("{} places that look like a secret ({}) were taken out.", redaction.count, redaction.rule);
            findings.add(Severity::Info, message);
        }
        if cleaned.dropped_characters > 0 {
            let message = format!("{} hidden characters were dropped.", cleaned.dropped_characters);
            findings.add(Severity::Info, message);
        }
        let system = request.system.join("\n\n");
        let blocks = blocks(request.messages.into_iter().flat_map(|turn| turn.blocks), &sources);
        let tokens = blocks.iter().map(|block| estimate_tokens(&block.text));
        let estimated_input_tokens = tokens.fold(estimate_tokens(&system), u32::saturating_add);
        Ok(Json(Preview { system, blocks, estimated_input_tokens, findings: findings.0 }))
    }
}

fn retrieve_error(error: RetrieveError) -> ApiError {
    match error {
        RetrieveError::Store(error) => error.into(),
        RetrieveError::Embed(error) => {
            tracing::error!(error = %error, "question cannot be embedded");
            ApiError::internal()
        }
    }
}

fn template_of(body: &PreviewRequest) -> Result<Template, ApiError> {
    let output_language = text("/output_language", body.output_language.as_deref(), 35)?;
    Ok(Template {
        version: None,
        name: String::new(),
        system: body.system.clone(),
        body: body.body.clone(),
        style: text("/style", body.style.as_deref(), MAX_TEXT)?.to_owned(),
        output_language: if output_language.is_empty() { "en".to_owned() } else { output_language.to_owned() },
        query: text("/query", Some(&body.query), MAX_TEXT)?.to_owned(),
        model: text("/model", body.model.as_deref(), 200)?.to_owned(),
    })
}

/// The documents of a request are its sources, in the same order.
fn blocks(sent: impl Iterator<Item = Sent>, sources: &[Source]) -> Vec<Block> {
    let mut sources = sources.iter();
    sent.map(|block| match block {
        Sent::Text(text) => Block { kind: BlockKind::Text, text, path: None, start_line: None, end_line: None },
        Sent::Document { text, .. } => {
            let source = sources.next();
            Block {
                kind: BlockKind::Source,
                text,
                path: source.map(|source| source.path.clone()),
                start_line: source.map(|source| source.start_line),
                end_line: source.map(|source| source.end_line),
            }
        }
    })
    .collect()
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, severity: Severity, message: String) {
        self.0.push(Finding { severity, message });
    }

    /// What is wrong with a template's text. What could not even be shown is refused.
    fn template(&mut self, system: &str, body: &str) -> Result<(), ApiError> {
        match template::check(system, body) {
            Ok(()) => {}
            Err(error @ (TemplateError::TooLong | TemplateError::Nul)) => {
                return Err(ApiError::refused("template_refused", "/body", error.to_string()));
            }
            Err(error) => self.add(Severity::Error, error.to_string()),
        }
        for (place, text) in [("system prompt", system), ("body", body)] {
            for finding in redact(text).findings {
                let message = format!("The {place} holds what looks like a secret ({}). Remove it.", finding.rule);
                self.add(Severity::Warning, message);
            }
        }
        Ok(())
    }
}
