//! `/livez`, `/readyz` and `/metrics`.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{Clients, Telemetry};

/// A check that takes longer than this has failed.
const CHECK_WITHIN: Duration = Duration::from_secs(2);
/// A client that sends its request more slowly is cut off.
const REQUEST_WITHIN: Duration = Duration::from_secs(5);

/// Why a check failed: one fragment for a person, without credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckFailure(pub String);

type Outcome = Pin<Box<dyn Future<Output = Result<(), CheckFailure>> + Send>>;
type Check = Arc<dyn Fn() -> Outcome + Send + Sync>;

#[derive(Default)]
struct Inner {
    checks: Mutex<Vec<(String, Check)>>,
    draining: AtomicBool,
}

/// A service that is being built.
pub struct Starting(Arc<AtomicBool>);

impl Starting {
    /// It runs.
    pub fn done(self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The checks of a process: one registry, whichever services run in it. Cheap to clone.
#[derive(Clone, Default)]
pub struct Health {
    inner: Arc<Inner>,
}

impl Health {
    /// No checks: always ready.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a check that readiness depends on.
    pub fn add<F, O>(&self, name: &str, check: F)
    where
        F: Fn() -> O + Send + Sync + 'static,
        O: Future<Output = Result<(), CheckFailure>> + Send + 'static,
    {
        let check: Check = Arc::new(move || Box::pin(check()));
        self.inner.checks.lock().unwrap_or_else(PoisonError::into_inner).push((name.to_owned(), check));
    }

    /// Adds the checks of broker and database.
    pub fn add_clients(&self, clients: &Clients) {
        let bus = clients.bus.clone();
        self.add("bus", move || {
            let connected = bus.is_connected();
            async move { if connected { Ok(()) } else { Err(CheckFailure("not connected".to_owned())) } }
        });
        let store = clients.store.clone();
        self.add("database", move || {
            let store = store.clone();
            async move { store.ping().await.map_err(|error| CheckFailure(error.to_string())) }
        });
    }

    /// Adds a check that fails until [`Starting::done`]: clients are there before a service listens or reads.
    #[must_use]
    pub fn starting(&self) -> Starting {
        let done = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&done);
        self.add("started", move || {
            let done = seen.load(Ordering::Relaxed);
            async move { if done { Ok(()) } else { Err(CheckFailure("starting".to_owned())) } }
        });
        Starting(done)
    }

    /// From now on not ready: nobody should send anything any more.
    pub fn drain(&self) {
        self.inner.draining.store(true, Ordering::Relaxed);
    }

    /// Runs all checks. The text is a JSON object of check → `ok` or what is wrong.
    pub async fn report(&self) -> (bool, String) {
        let checks = self.inner.checks.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut answers = serde_json::Map::new();
        let draining = self.inner.draining.load(Ordering::Relaxed);
        let mut ready = !draining;
        for (name, check) in checks {
            let outcome = tokio::time::timeout(CHECK_WITHIN, check())
                .await
                .unwrap_or_else(|_| Err(CheckFailure("no answer in time".to_owned())));
            ready &= outcome.is_ok();
            let answer = outcome.map_or_else(|failure| failure.0, |()| "ok".to_owned());
            // Services of one process have checks of the same name; the one that fails is shown.
            if answer != "ok" || !answers.contains_key(&name) {
                answers.insert(name, answer.into());
            }
        }
        let report = serde_json::json!({ "ready": ready, "draining": draining, "checks": answers });
        (ready, report.to_string())
    }

    /// Serves until `shutdown`; returns the address it listens on.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub async fn serve(
        &self,
        listen: SocketAddr,
        telemetry: Option<Telemetry>,
        shutdown: CancellationToken,
    ) -> std::io::Result<SocketAddr> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let health = self.clone();
        tokio::spawn(async move {
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    () = shutdown.cancelled() => return,
                };
                let stream = match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        // Out of file descriptors, most likely: accepting again at once would spin.
                        tracing::warn!(%error, "cannot accept a health connection");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                };
                let (health, telemetry) = (health.clone(), telemetry.clone());
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(health.clone(), telemetry.clone(), request));
                    let connection = http1::Builder::new()
                        .timer(TokioTimer::new())
                        .header_read_timeout(REQUEST_WITHIN)
                        .serve_connection(TokioIo::new(stream), service);
                    // A client that hangs up is its own business.
                    let _ = connection.await;
                });
            }
        });
        Ok(address)
    }
}

async fn answer(
    health: Health,
    telemetry: Option<Telemetry>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, kind, body) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/livez") => (StatusCode::OK, "text/plain", "ok\n".to_owned()),
        (&Method::GET | &Method::HEAD, "/readyz") => {
            let (ready, report) = health.report().await;
            let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            (status, "application/json", report)
        }
        (&Method::GET | &Method::HEAD, "/metrics") => {
            let text = telemetry.map(|telemetry| telemetry.metrics_text()).unwrap_or_default();
            (StatusCode::OK, "text/plain; version=0.0.4", text)
        }
        _ => (StatusCode::NOT_FOUND, "text/plain", "not found\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::{CheckFailure, Health};

    #[tokio::test]
    async fn ready_when_every_check_is() {
        let health = Health::new();
        health.add("good", || async { Ok(()) });
        let (ready, report) = health.report().await;
        assert!(ready && report.contains(r#""good":"ok""#), "{report}");
        health.add("good", || async { Err(CheckFailure("half".to_owned())) });
        health.add("good", || async { Ok(()) });
        let (ready, report) = health.report().await;
        assert!(!ready && report.contains(r#""good":"half""#), "{report}");
        health.add("bad", || async { Err(CheckFailure("away".to_owned())) });
        let (ready, report) = health.report().await;
        assert!(!ready && report.contains(r#""bad":"away""#), "{report}");
    }

    #[tokio::test]
    async fn not_ready_while_draining() {
        let health = Health::new();
        health.drain();
        assert!(!health.report().await.0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_that_hangs_has_failed() {
        let health = Health::new();
        health.add("hangs", std::future::pending);
        assert!(!health.report().await.0);
    }
}
