//! Where git hosts deliver. The signature is the only credential, and an unknown hook answers like a bad one.

use std::net::IpAddr;

use caffeine_model::WebhookId;
use caffeine_store::gateway::{Delivered, NewDelivery};
use chrono::Utc;
use poem::http::{HeaderValue, StatusCode, header};
use poem::{Endpoint, IntoResponse, Request, Response};
use serde_json::json;
use uuid::Uuid;

use super::problem::Problem;
use super::repositories::structural;
use super::{ApiError, App};
use crate::domain::announce::announce;
use crate::domain::webhook::{Delivery, Provider, delivery_keys, is_signed, read};

/// `POST /hooks/{webhook}`. Beside the described operations, because git hosts and not clients call it.
pub(crate) struct Hooks {
    pub(crate) app: App,
}

impl Endpoint for Hooks {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        // Bounded by the shell.
        let body = request.take_body().into_bytes().await?;
        Ok(self.answer(&request, &body).await?)
    }
}

impl Hooks {
    async fn answer(&self, request: &Request, body: &[u8]) -> Result<Response, ApiError> {
        let Some(key) = self.app.webhook_key.as_deref() else { return Ok(refused()) };
        let id: Uuid = request.path_params().unwrap_or_default();
        let id = WebhookId::from_uuid(id);
        let hook = self.app.store.hook(id).await?;
        // A hook that is not there is checked like one that is: its secret was never given to anybody.
        let provider = hook.as_ref().and_then(|hook| Provider::from_word(&hook.provider)).unwrap_or(Provider::GitHub);
        let generation = hook.as_ref().map_or(1, |hook| hook.generation.unsigned_abs());
        let former = hook.as_ref().filter(|hook| hook.former_is_live).map(|_| generation.saturating_sub(1));
        let generations = std::iter::once(generation).chain(former);
        let secrets: Vec<String> = generations.map(|generation| key.secret(provider, id, generation)).collect();
        let header = |name: &str| request.header(name);
        let now = Utc::now();
        let signed = is_signed(provider, &secrets, &header, body, now.timestamp());
        let Some(hook) = hook.filter(|_| signed) else { return Ok(refused()) };

        let delivery = read(provider, &header, body);
        let status = match delivery {
            Delivery::Malformed => StatusCode::BAD_REQUEST,
            _ => StatusCode::ACCEPTED,
        };
        let is_push = matches!(&delivery, Delivery::Push(push) if push.moves(&hook.reference));
        let new = NewDelivery {
            keys: &delivery_keys(provider, &header, body),
            status: i32::from(status.as_u16()),
            is_push,
            documents: &[structural()],
            versions: &self.app.versions,
            announce: &announce,
            now,
            ip: request.extensions().get::<Option<IpAddr>>().copied().flatten().map(|ip| ip.to_string()),
        };
        let delivered = self.app.store.deliver(id, new).await?;
        if status == StatusCode::BAD_REQUEST {
            let detail = "The delivery cannot be read. Set the hook's content type to application/json.";
            return Err(ApiError::bad_request("delivery_malformed", detail));
        }
        let word = match delivered {
            Delivered::Gone => return Ok(refused()),
            Delivered::Known => "known",
            Delivered::Noted => "nothing_to_do",
            Delivered::Run { run, started } => {
                if started {
                    self.app.bell.notify_one();
                }
                tracing::info!(webhook_id = %id, run_id = %run, started, "a push asked for a run");
                "run_requested"
            }
        };
        let body = poem::web::Json(json!({ "status": word })).into_response();
        Ok(body.with_status(StatusCode::ACCEPTED).into_response())
    }
}

fn refused() -> Response {
    let detail = "The signature is not that of this hook.".to_owned();
    let mut response = Problem::new(StatusCode::UNAUTHORIZED, "bad_signature", Some(detail)).into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Signature"));
    response
}
