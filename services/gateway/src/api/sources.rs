//! Cited files, as the analysis saw them: where the links of pages lead.

use std::io::Read;

use caffeine_model::{DocumentId, RepoPath};
use poem::http::header;
use poem::{Endpoint, IntoResponse, Request, Response};
use uuid::Uuid;

use super::auth::Principal;
use super::{ApiError, App};

/// The largest text that is unpacked, in bytes. The plan lists larger files as skipped.
const MAX_TEXT: u64 = 8 * 1024 * 1024;

/// `GET /api/v1/documents/{document}/pages/sources/{path}`. Beside the described operations, because a description
/// has no word for a parameter with slashes.
pub(crate) struct Sources {
    pub(crate) app: App,
}

impl Endpoint for Sources {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        Ok(self.answer(&request).await?)
    }
}

impl Sources {
    async fn answer(&self, request: &Request) -> Result<Response, ApiError> {
        let missing = || ApiError::not_found("file");
        let who = request.extensions().get::<Principal>().ok_or_else(ApiError::internal)?;
        let (document, path): (String, String) = request.path_params().map_err(|_| missing())?;
        let document: Uuid = document.parse().map_err(|_| missing())?;
        let path = RepoPath::parse(path.as_bytes()).map_err(|_| missing())?;
        let id = DocumentId::from_uuid(document);
        let source = self.app.store.document_source(who.workspace, id, &path).await?.ok_or_else(missing)?;
        let Some(packed) = source.text_zstd else {
            let reason = source.skip_reason.unwrap_or_else(|| "not analysed yet".to_owned());
            return Err(ApiError::conflict("no_text", format!("The file has no text here: {reason}.")));
        };
        let text = unpack(packed).await?;
        Ok(Response::builder()
            .content_type("text/plain; charset=utf-8")
            // A document is about one commit, so its sources never change.
            .header(header::CACHE_CONTROL, "private, max-age=31536000, immutable")
            .body(text)
            .into_response())
    }
}

/// The stored text of a file.
///
/// # Errors
/// 500 if it is damaged.
pub(crate) async fn unpack(packed: Vec<u8>) -> Result<String, ApiError> {
    let text = tokio::task::spawn_blocking(move || decode(&packed)).await.map_err(|_| ApiError::internal())?;
    text.map_err(|error| {
        tracing::error!(error = %error, "stored text cannot be unpacked");
        ApiError::internal()
    })
}

fn decode(packed: &[u8]) -> std::io::Result<String> {
    let mut text = String::new();
    zstd::stream::read::Decoder::new(packed)?.take(MAX_TEXT + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_TEXT {
        return Err(std::io::Error::other("more than 8 MiB"));
    }
    Ok(text)
}
