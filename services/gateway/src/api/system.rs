//! Whether the service is there.

use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::Tag;

pub(crate) struct SystemApi;

/// A sign of life.
#[derive(Object)]
struct Health {
    /// `ok`.
    status: String,
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::System")]
impl SystemApi {
    /// A sign of life
    ///
    /// The only call without a token, and it says nothing else.
    #[oai(path = "/health", method = "get", operation_id = "get_health")]
    async fn health(&self) -> Json<Health> {
        Json(Health { status: "ok".to_owned() })
    }
}
