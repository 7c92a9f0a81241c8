//! What surrounds every handler: authentication, the size of bodies, panics, problem documents, headers, metrics.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use caffeine_bus::continue_trace;
use caffeine_contract::headers::TRACEPARENT;
use caffeine_store::Store;
use futures::FutureExt;
use poem::endpoint::BoxEndpoint;
use poem::error::{MethodNotAllowedError, NotFoundError, ReadBodyError};
use poem::http::{HeaderValue, Method, StatusCode, header};
use poem::{Body, Endpoint, IntoResponse, Request, Response};
use poem_openapi::registry::MetaApi;
use tracing::Instrument as _;

use super::auth;
use super::problem::{self, Problem};
use crate::metrics::METRICS;

/// The largest body in bytes.
const MAX_BODY: usize = 1024 * 1024;
/// The only thing that is answered without a token.
const OPEN_PATH: &str = "/api/v1/health";

/// The outermost endpoint. It never fails: every outcome is a response.
pub(crate) struct Shell {
    store: Store,
    inner: BoxEndpoint<'static, Response>,
    /// Path templates with the methods that they know, for `Allow`.
    methods: Vec<(String, Method)>,
}

impl Shell {
    pub(crate) fn new(store: Store, inner: BoxEndpoint<'static, Response>, apis: Vec<MetaApi>) -> Self {
        let paths = apis.into_iter().flat_map(|api| api.paths);
        let methods = paths
            .flat_map(|path| path.operations.into_iter().map(move |operation| (path.path.clone(), operation.method)))
            .collect();
        Self { store, inner, methods }
    }

    async fn guarded(&self, mut request: Request) -> Result<Response, Response> {
        let open = request.method() == Method::GET && request.uri().path() == OPEN_PATH;
        if !open {
            let principal = auth::principal(&self.store, &request).await.map_err(|error| {
                tracing::warn!(error = %error, "token cannot be looked up");
                problem::unavailable().into_response()
            })?;
            request.extensions_mut().insert(principal.ok_or_else(unauthorised)?);
        }
        let body = request.take_body().into_bytes_limit(MAX_BODY).await.map_err(|error| match error {
            ReadBodyError::PayloadTooLarge => {
                let detail = "The body is larger than 1 MiB. Send less.".to_owned();
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", Some(detail)).into_response()
            }
            _ => {
                let detail = "The body could not be read to its end. Send it again.".to_owned();
                Problem::new(StatusCode::BAD_REQUEST, "body_unreadable", Some(detail)).into_response()
            }
        })?;
        request.set_body(Body::from(body));
        let path = request.uri().path().to_owned();
        self.inner.call(request).await.map_err(|error| self.describe(error, &path))
    }

    /// Turns an error that is no problem document yet into one.
    fn describe(&self, error: poem::Error, path: &str) -> Response {
        if error.is_from_response() {
            return error.into_response();
        }
        let status = error.status();
        if error.is::<NotFoundError>() {
            let detail = "There is nothing at this address. The operations are in /api/v1/openapi.json.".to_owned();
            return Problem::new(StatusCode::NOT_FOUND, "not_found", Some(detail)).into_response();
        }
        if error.is::<MethodNotAllowedError>() {
            let allowed = self.allowed(path);
            let detail = format!("This address answers {allowed} only.");
            let mut response = Problem::new(status, "method_not_allowed", Some(detail)).into_response();
            if let Ok(value) = HeaderValue::from_str(&allowed) {
                response.headers_mut().insert(header::ALLOW, value);
            }
            return response;
        }
        if status.is_server_error() {
            tracing::error!(error = %error, "request failed");
            return problem::internal().into_response();
        }
        let code = match status {
            StatusCode::UNAUTHORIZED => return unauthorised(),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "media_type",
            _ => "malformed_request",
        };
        let detail: String = without_value(&error.to_string()).chars().take(500).collect();
        Problem::new(status, code, Some(detail)).into_response()
    }

    /// The span of a request, which continues the caller's trace. Named by the operation's path, not by the request's.
    fn span(&self, request: &Request) -> tracing::Span {
        let (method, path) = (method_label(request.method()), request.uri().path());
        let route = self.methods.iter().find(|(template, _)| fits(template, path)).map_or("", |(route, _)| route);
        let span = tracing::info_span!(
            "request",
            otel.name = format!("{method} {route}"),
            otel.kind = "server",
            http.request.method = method,
            http.route = route,
            http.response.status_code = tracing::field::Empty,
            trace_id = tracing::field::Empty,
        );
        continue_trace(&span, request.header(TRACEPARENT));
        span
    }

    fn allowed(&self, path: &str) -> String {
        let methods =
            self.methods.iter().filter(|(template, _)| fits(template, path)).map(|(_, method)| method.as_str());
        let mut methods: Vec<&str> = methods.collect();
        if methods.is_empty() {
            // The two routes beside the operations.
            methods.push("GET");
        }
        methods.sort_unstable();
        methods.dedup();
        methods.join(", ")
    }
}

/// What poem says about a request that it cannot read, without the value that it found there: it may be a secret in the
/// wrong place.
fn without_value(text: &str) -> &str {
    text.split_once(", found ").map_or(text, |(expected, _)| expected)
}

/// Whether a path is one of a template's (`/a/{b}` or `/a/:b`).
fn fits(template: &str, path: &str) -> bool {
    let (mut parts, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (parts.next(), given.next()) {
            (None, None) => return true,
            (Some(part), Some(word)) if part == word || part.starts_with(['{', ':']) => {}
            _ => return false,
        }
    }
}

fn unauthorised() -> Response {
    let detail = "Send `Authorization: Bearer <token>` with a valid token.".to_owned();
    let mut response = Problem::new(StatusCode::UNAUTHORIZED, "unauthorised", Some(detail)).into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// Nothing that is served is a page for a browser, so nothing may run and nothing may be guessed.
fn secure(response: &mut Response) {
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; sandbox"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    if !response.headers().contains_key(header::CACHE_CONTROL) {
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

impl Endpoint for Shell {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let started = Instant::now();
        let method = request.method().clone();
        let span = self.span(&request);
        let outcome = AssertUnwindSafe(self.guarded(request)).catch_unwind().instrument(span.clone()).await;
        let mut response = match outcome {
            Ok(Ok(response) | Err(response)) => response,
            Err(_panic) => {
                tracing::error!(method = %method, "handler panicked");
                problem::internal().into_response()
            }
        };
        span.record("http.response.status_code", response.status().as_u16());
        secure(&mut response);
        METRICS.request(method_label(&method), response.status().as_u16(), started.elapsed().as_secs_f64());
        Ok(response)
    }
}

/// Methods are foreign text; a metric has room for the known ones only.
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::{fits, without_value};

    #[test]
    fn values_are_not_quoted() {
        let said = "parse request payload error: Expected input type \"Token\", found \"s3cret\". (occurred …)";
        assert_eq!(without_value(said), "parse request payload error: Expected input type \"Token\"");
        assert_eq!(without_value("invalid UUID"), "invalid UUID");
    }

    #[test]
    fn paths_fit_templates() {
        for (template, path, expected) in [
            ("/a/{b}", "/a/x", true),
            ("/a/:b/c", "/a/x/c", true),
            ("/a/{b}", "/a", false),
            ("/a/{b}", "/a/x/y", false),
            ("/a/b", "/a/c", false),
        ] {
            assert_eq!(fits(template, path), expected, "{template} {path}");
        }
    }
}
