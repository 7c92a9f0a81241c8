//! Diagrams of pages, drawn by the server: a browser shows them as images, in which nothing runs.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use caffeine_model::DocumentId;
use poem::http::header;
use poem::{Endpoint, IntoResponse, Request, Response};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::auth::Principal;
use super::{ApiError, App};
use crate::domain::diagram::{self, Look};

/// Nothing but the picture's own styles.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox";
/// How many pages with diagrams are looked through for one.
const MAX_PAGES: i64 = 2_000;
/// How many are drawn at once.
const AT_ONCE: usize = 2;
/// How many pictures are kept, and how many bytes of them.
const MAX_KEPT: usize = 256;
const MAX_KEPT_BYTES: usize = 16 * 1024 * 1024;

/// `GET /api/v1/documents/{document}/diagrams/{name}.svg`. Beside the described operations: it answers a picture, and
/// browsers ask for it.
pub(crate) struct Diagrams {
    app: App,
    kept: Mutex<Kept>,
    free: Semaphore,
}

/// Pictures by name and look, the oldest first.
#[derive(Default)]
struct Kept {
    pictures: HashMap<(String, Look), Arc<str>>,
    order: VecDeque<(String, Look)>,
    bytes: usize,
}

impl Kept {
    fn add(&mut self, key: (String, Look), picture: Arc<str>) {
        self.bytes += picture.len();
        if let Some(former) = self.pictures.insert(key.clone(), picture) {
            self.bytes -= former.len();
        } else {
            self.order.push_back(key);
        }
        while self.order.len() > MAX_KEPT || self.bytes > MAX_KEPT_BYTES {
            let Some(oldest) = self.order.pop_front() else { return };
            self.bytes -= self.pictures.remove(&oldest).map_or(0, |picture| picture.len());
        }
    }
}

impl Diagrams {
    pub(crate) fn new(app: App) -> Self {
        Self { app, kept: Mutex::default(), free: Semaphore::new(AT_ONCE) }
    }

    async fn answer(&self, request: &Request) -> Result<Response, ApiError> {
        let missing = || ApiError::not_found("diagram");
        let who = request.extensions().get::<Principal>().ok_or_else(ApiError::internal)?;
        let (document, file): (String, String) = request.path_params().map_err(|_| missing())?;
        let document: Uuid = document.parse().map_err(|_| missing())?;
        let document = DocumentId::from_uuid(document);
        let name = file.strip_suffix(".svg").filter(|name| diagram::is_name(name)).ok_or_else(missing)?;
        let look = match request.uri().query().unwrap_or_default() {
            "" | "look=light" => Look::Light,
            "look=dark" => Look::Dark,
            _ => return Err(ApiError::bad_request("bad_look", "`look` must be `light` or `dark`.")),
        };
        let source = self.source(who, document, name).await?.ok_or_else(missing)?;
        let key = (name.to_owned(), look);
        let known = self.kept().pictures.get(&key).cloned();
        let picture = match known {
            Some(picture) => picture,
            None => self.draw(key, source).await?,
        };
        Ok(Response::builder()
            .content_type("image/svg+xml")
            .header(header::CONTENT_SECURITY_POLICY, POLICY)
            // The name says what it shows; how it is drawn may change with the program.
            .header(header::CACHE_CONTROL, "private, max-age=86400")
            .body(picture.to_string())
            .into_response())
    }

    /// The diagram's text, if a page of the document has it: a name alone opens nothing.
    async fn source(&self, who: &Principal, document: DocumentId, name: &str) -> Result<Option<String>, ApiError> {
        let pages = self.app.store.pages_with_diagrams(who.workspace, document, MAX_PAGES).await?;
        Ok(pages.iter().find_map(|markdown| diagram::find(markdown, name)))
    }

    async fn draw(&self, key: (String, Look), source: String) -> Result<Arc<str>, ApiError> {
        let _free = self.free.acquire().await.map_err(|_| ApiError::internal())?;
        let look = key.1;
        let drawn = tokio::task::spawn_blocking(move || diagram::draw(&source, look)).await;
        // What the renderer cannot do with a text, up to a panic, is said of that text.
        let drawn = drawn.map_err(|_| {
            tracing::warn!(diagram = key.0, "a diagram could not be drawn");
            ApiError::refused("diagram_refused", "", "The diagram cannot be drawn.")
        })?;
        let picture: Arc<str> =
            drawn.map_err(|error| ApiError::refused("diagram_refused", "", error.to_string()))?.into();
        self.kept().add(key, Arc::clone(&picture));
        Ok(picture)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Endpoint for Diagrams {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        Ok(self.answer(&request).await?)
    }
}
