//! Git repositories over HTTP on loopback, served by git's own backend.
//!
//! Tests and the demo clone through the same protocol and the same server code that a git host
//! runs: `git http-backend`, called once per request as a CGI program. Bodies are streamed in both
//! directions. Only this machine can connect; there is no TLS.

mod cgi;

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::ServerError;

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// How repositories are served.
#[derive(Debug, Clone)]
pub struct GitHttpOptions {
    /// Every repository below this folder is served, at its path.
    pub root: PathBuf,
    /// The port on loopback; 0 takes a free one.
    pub port: u16,
    /// User and password that every request must bring, as a private repository asks for them.
    pub credentials: Option<(String, String)>,
}

/// A running git server; it ends when dropped, open requests included.
#[derive(Debug)]
pub struct GitHttpServer {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl GitHttpServer {
    /// Serves every repository below `root` to anybody on this machine, on a free port.
    ///
    /// # Errors
    /// As [`GitHttpServer::start_with`].
    pub async fn start(root: PathBuf) -> Result<Self, ServerError> {
        Self::start_with(GitHttpOptions { root, port: 0, credentials: None }).await
    }

    /// Serves as the options say.
    ///
    /// # Errors
    /// If the folder does not exist or the port is taken.
    pub async fn start_with(options: GitHttpOptions) -> Result<Self, ServerError> {
        let root = std::fs::canonicalize(&options.root).map_err(ServerError::io("find", &options.root))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))
            .await
            .map_err(ServerError::io("listen on a port of", &root))?;
        let address = listener.local_addr().map_err(ServerError::io("listen on a port of", &root))?;
        let site = Arc::new(Site {
            root,
            authorization: options.credentials.map(|(user, password)| basic_authorization(&user, &password)),
        });
        let accepting = tokio::spawn(accept(listener, site));
        Ok(Self { address, accepting })
    }

    /// The address before a repository's path, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address of one repository, given its path below the root, such as `repo.git`.
    pub fn repo_url(&self, path: &str) -> String {
        format!("{}/{path}", self.url())
    }

    /// The port on loopback.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Ends the server and every open request.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for GitHttpServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// What is served, and to whom.
#[derive(Debug)]
struct Site {
    root: PathBuf,
    /// The exact header a request must bring.
    authorization: Option<String>,
}

async fn accept(listener: TcpListener, site: Arc<Site>) {
    // Dropped, and its tasks with it, when this task is aborted.
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, for one: a moment later there may be some again.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        let site = Arc::clone(&site);
        connections.spawn(async move {
            let service = service_fn(|request| answer(Arc::clone(&site), request));
            let served = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            if let Err(error) = served.await {
                tracing::debug!(%error, "git client left");
            }
        });
    }
}

async fn answer(site: Arc<Site>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    if let Some(expected) = &site.authorization {
        let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        if given != Some(expected) {
            let mut refusal = plain(StatusCode::UNAUTHORIZED, "this repository needs a password\n");
            refusal.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"git\""));
            return Ok(refusal);
        }
    }
    Ok(cgi::run(&site.root, request).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "git http-backend failed");
        plain(StatusCode::BAD_GATEWAY, "git http-backend failed\n")
    }))
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let body = Full::new(Bytes::from_static(text.as_bytes()));
    let mut response = Response::new(body.map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    response
}

fn basic_authorization(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}
