//! Documents and their pages.

use caffeine_model::{DocumentId, RepositoryId};
use caffeine_store::gateway::{DocumentRow, PageEntryRow, PageRow};
use chrono::{DateTime, Utc};
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::{Json, PlainText};
use poem_openapi::{ApiResponse, Object, OpenApi, ResponseContent};
use uuid::Uuid;

use super::auth::Auth;
use super::conditional::{REVALIDATE, etag, is_known};
use super::list::{PageLimit, page_of};
use super::{ApiError, App, Tag};
use crate::domain::cursor;

/// The longest table of contents that is answered.
const MAX_PAGES: i64 = 20_000;

pub(crate) struct DocumentsApi {
    pub(crate) app: App,
}

/// A document.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub(crate) struct Document {
    id: Uuid,
    repository_id: Uuid,
    /// The run that wrote it.
    run_id: Uuid,
    /// The commit that it is about, once known.
    commit: Option<String>,
    title: String,
    /// `structural` or `template`.
    writer: String,
    /// `requested`, `writing`, `completed`, `completed_with_errors`, `failed` or `cancelled`.
    state: String,
    /// Why it was written otherwise than asked for, or why it failed.
    notice: Option<String>,
    requested_at: DateTime<Utc>,
    completed_at: Option<DateTime<Utc>>,
    /// Its table of contents, in reading order; absent in lists.
    pages: Option<Vec<PageEntry>>,
}

/// A page in a table of contents.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct PageEntry {
    /// Its name, unique in the document.
    slug: String,
    /// Slug of the page above it.
    parent: Option<String>,
    title: String,
    /// `overview`, `module`, `api`, ….
    kind: String,
    /// `requested`, `published` or `failed`.
    state: String,
    /// Why it failed.
    failure_reason: Option<String>,
}

/// A page.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub(crate) struct DocumentPage {
    document_id: Uuid,
    slug: String,
    title: String,
    /// `overview`, `module`, `api`, ….
    kind: String,
    /// `requested`, `published` or `failed`.
    state: String,
    /// Number of the published revision; absent until there is one.
    revision: Option<u32>,
    /// Its text; links lead to other pages (`<slug>.md`) and cited files (`sources/<path>#L1-L2`).
    markdown: Option<String>,
    /// Why it failed.
    failure_reason: Option<String>,
}

/// A page of documents.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct DocumentList {
    items: Vec<Document>,
    /// Give it as `cursor` to read on; absent at the end.
    next_cursor: Option<String>,
}

#[derive(ResponseContent)]
enum PageContent {
    Json(Json<DocumentPage>),
    #[oai(content_type = "text/markdown; charset=utf-8")]
    Markdown(PlainText<String>),
}

#[derive(ApiResponse)]
enum PageResponse {
    /// The page: as JSON, or as text if the slug was given with `.md`.
    #[oai(status = 200)]
    Ok(PageContent, #[oai(header = "ETag")] String, #[oai(header = "Cache-Control")] String),
    /// It is as `If-None-Match` says.
    #[oai(status = 304)]
    Known(#[oai(header = "ETag")] String, #[oai(header = "Cache-Control")] String),
}

#[derive(ApiResponse)]
#[expect(clippy::large_enum_variant, reason = "made once per request and sent at once")]
enum DocumentResponse {
    /// The document.
    #[oai(status = 200)]
    Ok(Json<Document>, #[oai(header = "ETag")] String, #[oai(header = "Cache-Control")] String),
    /// It is as `If-None-Match` says.
    #[oai(status = 304)]
    Known(#[oai(header = "ETag")] String, #[oai(header = "Cache-Control")] String),
}

impl From<DocumentRow> for Document {
    fn from(row: DocumentRow) -> Self {
        Self {
            id: row.id.as_uuid(),
            repository_id: row.repository.as_uuid(),
            run_id: row.run.as_uuid(),
            commit: row.commit,
            title: row.title,
            writer: row.writer,
            state: row.state,
            notice: row.notice,
            requested_at: row.requested_at,
            completed_at: row.completed_at,
            pages: None,
        }
    }
}

impl From<PageEntryRow> for PageEntry {
    fn from(row: PageEntryRow) -> Self {
        Self {
            slug: row.slug,
            parent: row.parent,
            title: row.title,
            kind: row.kind,
            state: row.state,
            failure_reason: row.failure_reason,
        }
    }
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Documents")]
impl DocumentsApi {
    /// List a repository's documents
    ///
    /// Those of the latest run first.
    #[oai(path = "/repositories/:repository/documents", method = "get", operation_id = "list_documents")]
    async fn list(
        &self,
        auth: Auth,
        repository: Path<Uuid>,
        /// At most this many, up to 200; 50 if absent.
        limit: Query<Option<PageLimit>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<DocumentList>, ApiError> {
        let (after, limit) = page_of(cursor.0.as_deref(), limit.0)?;
        let repository = self.app.repository(&auth.0, RepositoryId::from_uuid(repository.0)).await?;
        let page = self.app.store.documents(auth.0.workspace, repository.id, after, limit).await?;
        Ok(Json(DocumentList {
            items: page.items.into_iter().map(Document::from).collect(),
            next_cursor: page.next.map(cursor::encode),
        }))
    }

    /// Get a document
    ///
    /// With its table of contents.
    #[oai(path = "/documents/:document", method = "get", operation_id = "get_document")]
    async fn get(
        &self,
        auth: Auth,
        document: Path<Uuid>,
        /// The `ETag` of the answer that is there already.
        #[oai(name = "If-None-Match")]
        if_none_match: Header<Option<String>>,
    ) -> Result<DocumentResponse, ApiError> {
        let id = DocumentId::from_uuid(document.0);
        let row = self.app.store.find_document(auth.0.workspace, id).await?;
        let row = row.ok_or_else(|| ApiError::not_found("document"))?;
        let pages = self.app.store.list_document_pages(auth.0.workspace, id, MAX_PAGES).await?;
        let pages = pages.into_iter().map(PageEntry::from).collect();
        let document = Document { pages: Some(pages), ..Document::from(row) };
        let tag = etag(&document);
        if is_known(if_none_match.0.as_deref(), &tag) {
            return Ok(DocumentResponse::Known(tag, REVALIDATE.to_owned()));
        }
        Ok(DocumentResponse::Ok(Json(document), tag, REVALIDATE.to_owned()))
    }

    /// Get a page
    ///
    /// With `.md` behind the slug, its text. The links of a page work from there: to other pages, and to
    /// `sources/<path>`, which answers a cited file as plain text.
    #[oai(path = "/documents/:document/pages/:slug", method = "get", operation_id = "get_page")]
    async fn page(
        &self,
        auth: Auth,
        document: Path<Uuid>,
        /// Name of the page, with `.md` for its text.
        slug: Path<String>,
        /// The `ETag` of the answer that is there already.
        #[oai(name = "If-None-Match")]
        if_none_match: Header<Option<String>>,
    ) -> Result<PageResponse, ApiError> {
        let id = DocumentId::from_uuid(document.0);
        let (name, as_text) = match slug.0.strip_suffix(".md") {
            Some(name) => (name, true),
            None => (slug.0.as_str(), false),
        };
        let missing = || ApiError::not_found("page");
        let is_slug = |text: &str| {
            (1..=200).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        if !is_slug(name) {
            return Err(missing());
        }
        let page = self.app.store.document_page(auth.0.workspace, id, name).await?.ok_or_else(missing)?;
        let (content, tag) = match (as_text, page.markdown) {
            (true, Some(markdown)) => {
                let tag = etag(&markdown);
                (PageContent::Markdown(PlainText(markdown)), tag)
            }
            (true, None) => {
                let detail = "The page has no text yet. Its state is in the document's table of contents.";
                return Err(ApiError::conflict("page_not_published", detail));
            }
            (false, markdown) => {
                let view = page_view(document.0, PageRow { markdown, ..page });
                let tag = etag(&view);
                (PageContent::Json(Json(view)), tag)
            }
        };
        if is_known(if_none_match.0.as_deref(), &tag) {
            return Ok(PageResponse::Known(tag, REVALIDATE.to_owned()));
        }
        Ok(PageResponse::Ok(content, tag, REVALIDATE.to_owned()))
    }
}

fn page_view(document_id: Uuid, row: PageRow) -> DocumentPage {
    DocumentPage {
        document_id,
        slug: row.slug,
        title: row.title,
        kind: row.kind,
        state: row.state,
        revision: row.revision,
        markdown: row.markdown,
        failure_reason: row.failure_reason,
    }
}
