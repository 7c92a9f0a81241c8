//! What surrounds every handler: who may do it, how often, the size of bodies, panics, problem documents, headers,
//! metrics.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use caffeine_bus::continue_trace;
use caffeine_contract::headers::TRACEPARENT;
use futures::FutureExt;
use poem::endpoint::BoxEndpoint;
use poem::error::{MethodNotAllowedError, NotFoundError, ReadBodyError};
use poem::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use poem::{Body, Endpoint, IntoResponse, Request, Response};
use tracing::Instrument as _;

use super::access::{self, Class, Rule};
use super::headers;
use super::problem::{self, Problem};
use crate::identity::limits::{Counted, Left};
use crate::identity::{Credential, Identity, Principal, origin};
use crate::metrics::METRICS;

/// The largest body in bytes.
const MAX_BODY: usize = 1024 * 1024;
/// The largest delivery of a git host in bytes.
const MAX_DELIVERY: usize = 5 * MAX_BODY;

/// How long a request may take that waits for somebody else.
const SLOW: Duration = Duration::from_secs(75);

/// The outermost endpoint. It never fails: every outcome is a response.
pub(crate) struct Shell {
    identity: Arc<Identity>,
    inner: BoxEndpoint<'static, Response>,
}

/// An answer of the shell itself. Boxed, because it is handed up often.
type Refusal = Box<Response>;

/// What the shell adds to an answer, whatever it is.
#[derive(Default)]
struct Extras {
    /// A cookie to be kept or forgotten.
    cookie: Option<String>,
    /// What is left of a limit.
    left: Option<Left>,
}

impl Shell {
    pub(crate) fn new(identity: Arc<Identity>, inner: BoxEndpoint<'static, Response>) -> Self {
        Self { identity, inner }
    }

    async fn guarded(&self, mut request: Request, extras: &mut Extras) -> Result<Response, Refusal> {
        let path = request.uri().path().to_owned();
        let ip = origin::client_address(&request, &self.identity.settings.trusted);
        let rule = access::rule(request.method(), &path);
        match &rule {
            Some(Rule { right: None, class, .. }) => {
                self.public(&request, *class, ip, extras)?;
            }
            // What is not there is hidden from strangers like what is.
            None if !access::is_for_programs(&path) => return Err(no_route(&path).into()),
            rule => {
                let who = self.signed_in(&request, ip, extras).await?;
                let Some(Rule { right: Some(right), class, .. }) = rule else { return Err(no_route(&path).into()) };
                self.count(*class, Counted::User(who.user), extras)?;
                if let Some(reason) = who.lacks(*right) {
                    return Err(forbidden("forbidden", reason).into());
                }
                request.extensions_mut().insert(who);
            }
        }
        if let Some(detail) = no_text(&request) {
            let refused = Problem::new(StatusCode::BAD_REQUEST, "malformed_request", Some(detail.to_owned()));
            return Err(Box::new(refused.into_response()));
        }
        request.extensions_mut().insert(ip);
        let max_body = if path.starts_with("/hooks/") { MAX_DELIVERY } else { MAX_BODY };
        let body = request.take_body().into_bytes_limit(max_body).await;
        let body = body.map_err(|error| Refusal::from(unreadable(&error, max_body)))?;
        request.set_body(Body::from(body));
        let answered = self.inner.call(request).await;
        answered.map_err(|error| describe(&error, &path).unwrap_or_else(|| error.into_response()).into())
    }

    /// How long a request may take: something that has fallen silent must not hold it for ever. Streams begin in time
    /// and take as long as they take.
    fn patience(&self, request: &Request) -> Duration {
        let patience = self.identity.settings.request_patience;
        let is_slow = access::rule(request.method(), request.uri().path()).is_some_and(|rule| rule.is_slow);
        if is_slow { patience.max(SLOW) } else { patience }
    }

    /// A request that needs nobody to be signed in.
    fn public(&self, request: &Request, class: Class, ip: Option<IpAddr>, extras: &mut Extras) -> Result<(), Refusal> {
        if let Some(ip) = ip {
            self.count(class, Counted::address(ip), extras)?;
        }
        // Nobody may be signed in as somebody else by a foreign page.
        if class == Class::SignIn { self.check_origin(request) } else { Ok(()) }
    }

    /// Whoever is signed in.
    async fn signed_in(
        &self,
        request: &Request,
        ip: Option<IpAddr>,
        extras: &mut Extras,
    ) -> Result<Principal, Refusal> {
        let credential = self.identity.credential(request, ip).await.map_err(|error| {
            tracing::warn!(error = %error, "credential cannot be looked up");
            Refusal::from(problem::unavailable().into_response())
        })?;
        match credential {
            Credential::None => Err(unauthorised().into()),
            Credential::Invalid { is_cookie } => {
                extras.cookie = is_cookie.then(|| self.identity.no_session_cookie());
                Err(unauthorised().into())
            }
            Credential::Valid { who, is_cookie, renewal } => {
                if is_cookie {
                    self.check_origin(request)?;
                }
                extras.cookie = renewal;
                Ok(*who)
            }
        }
    }

    /// Browsers send cookies with what foreign pages ask for, too.
    fn check_origin(&self, request: &Request) -> Result<(), Refusal> {
        if origin::is_safe(request.method()) {
            return Ok(());
        }
        if !origin::is_ours(request, self.identity.settings.origin.as_deref()) {
            let detail = "A page of another origin has sent this. Use the application, or an API token.".to_owned();
            return Err(forbidden("foreign_origin", detail).into());
        }
        if !origin::is_json_or_empty(request) {
            let detail = "Send `Content-Type: application/json`.".to_owned();
            let problem = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media_type", Some(detail));
            return Err(problem.into_response().into());
        }
        Ok(())
    }

    fn count(&self, class: Class, who: Counted, extras: &mut Extras) -> Result<(), Refusal> {
        let Some(left) = self.identity.limits.count(class, who) else { return Ok(()) };
        extras.left = Some(left);
        if left.is_within() {
            return Ok(());
        }
        let (limit, name, wait) = (left.limit, left.name, left.wait_seconds);
        let detail = format!("More than {limit} requests of the kind `{name}` in a minute. Wait {wait} seconds.");
        let mut response =
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", Some(detail)).into_response();
        set(&mut response, header::RETRY_AFTER, &wait.to_string());
        Err(response.into())
    }
}

impl Extras {
    fn add_to(self, response: &mut Response) {
        if let Some(left) = self.left {
            set(response, HeaderName::from_static("ratelimit-policy"), &left.policy());
            set(response, HeaderName::from_static("ratelimit"), &left.state());
        }
        // A handler that signs in or out has the last word.
        let headers = response.headers_mut();
        if let Some(cookie) = self.cookie
            && !headers.contains_key(header::SET_COOKIE)
            && let Ok(value) = HeaderValue::from_str(&cookie)
        {
            headers.append(header::SET_COOKIE, value);
        }
    }
}

/// What is wrong with the characters of a request, if anything is.
fn no_text(request: &Request) -> Option<&'static str> {
    // No text in the database holds one, and asking it for one is an error there.
    if request.uri().path_and_query().is_some_and(|asked| asked.as_str().contains("%00")) {
        return Some("The address has a NUL character. Remove it.");
    }
    // Whoever reads it as a text would take the request for one without a key, and do it twice.
    if request.headers().get_all("idempotency-key").iter().any(|key| key.to_str().is_err()) {
        return Some(
            "`Idempotency-Key` has characters that are not ASCII. Use 1 to 255 printable ones without spaces.",
        );
    }
    None
}

/// The span of a request, which continues the caller's trace. Named by the operation's path, not by the request's.
fn span(request: &Request) -> tracing::Span {
    let method = method_label(request.method());
    let route = access::rule(request.method(), request.uri().path()).map_or("", |rule| rule.path);
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

fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn forbidden(code: &str, detail: String) -> Response {
    Problem::new(StatusCode::FORBIDDEN, code, Some(detail)).into_response()
}

fn unreadable(error: &ReadBodyError, max_body: usize) -> Response {
    if matches!(error, ReadBodyError::PayloadTooLarge) {
        let detail = format!("The body is larger than {} MiB. Send less.", max_body / MAX_BODY);
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", Some(detail)).into_response();
    }
    let detail = "The body could not be read to its end. Send it again.".to_owned();
    Problem::new(StatusCode::BAD_REQUEST, "body_unreadable", Some(detail)).into_response()
}

/// Nothing is here, or something that answers other methods.
fn no_route(path: &str) -> Response {
    let allowed = access::allowed(path);
    if allowed.is_empty() {
        let detail = "There is nothing at this address. The operations are in /api/v1/openapi.json.".to_owned();
        return Problem::new(StatusCode::NOT_FOUND, "not_found", Some(detail)).into_response();
    }
    let detail = format!("This address answers {allowed} only.");
    let mut response = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", Some(detail)).into_response();
    set(&mut response, header::ALLOW, &allowed);
    response
}

/// Turns an error that is no problem document yet into one; `None` if it is an answer itself.
fn describe(error: &poem::Error, path: &str) -> Option<Response> {
    if error.is_from_response() {
        return None;
    }
    if error.is::<NotFoundError>() {
        let detail = "There is nothing at this address. The operations are in /api/v1/openapi.json.".to_owned();
        return Some(Problem::new(StatusCode::NOT_FOUND, "not_found", Some(detail)).into_response());
    }
    if error.is::<MethodNotAllowedError>() {
        return Some(no_route(path));
    }
    let status = error.status();
    if status.is_server_error() {
        tracing::error!(error = %error, "request failed");
        return Some(problem::internal().into_response());
    }
    let code = match status {
        StatusCode::UNAUTHORIZED => return Some(unauthorised()),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "media_type",
        _ => "malformed_request",
    };
    let detail: String = without_value(&error.to_string()).chars().take(500).collect();
    Some(Problem::new(status, code, Some(detail)).into_response())
}

/// What poem says about a request that it cannot read, without the value that it found there: it may be a secret in the
/// wrong place.
fn without_value(text: &str) -> &str {
    text.split_once(", found ").map_or(text, |(expected, _)| expected)
}

fn timeout(patience: Duration) -> Response {
    let detail = format!("The answer took longer than {} seconds. Try again in a moment.", patience.as_secs());
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", Some(detail)).into_response()
}

fn unauthorised() -> Response {
    let detail = "Sign in, or send `Authorization: Bearer <token>` with a valid token.".to_owned();
    let mut response = Problem::new(StatusCode::UNAUTHORIZED, "unauthorised", Some(detail)).into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

impl Endpoint for Shell {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let started = Instant::now();
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        let mut extras = Extras::default();
        let span = span(&request);
        let patience = self.patience(&request);
        let guarded = AssertUnwindSafe(self.guarded(request, &mut extras)).catch_unwind();
        let outcome = tokio::time::timeout(patience, guarded).instrument(span.clone()).await;
        let mut response = match outcome {
            Ok(Ok(Ok(response))) => response,
            Ok(Ok(Err(refusal))) => *refusal,
            Err(_elapsed) => {
                tracing::error!(method = %method, "request took too long");
                timeout(patience)
            }
            Ok(Err(_panic)) => {
                tracing::error!(method = %method, "handler panicked");
                problem::internal().into_response()
            }
        };
        span.record("http.response.status_code", response.status().as_u16());
        extras.add_to(&mut response);
        headers::secure(&mut response, &path, self.identity.settings.is_behind_tls());
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
    use super::without_value;

    #[test]
    fn values_are_not_quoted() {
        let said = "parse request payload error: Expected input type \"Token\", found \"s3cret\". (occurred …)";
        assert_eq!(without_value(said), "parse request payload error: Expected input type \"Token\"");
        assert_eq!(without_value("invalid UUID"), "invalid UUID");
    }
}
