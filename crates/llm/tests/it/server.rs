//! An HTTP server that answers each call with the next line of its script.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use caffeine_llm::anthropic::{AnthropicClient, AnthropicConfig};
use caffeine_llm::{LlmRequest, Pace, Turn};
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use http_body_util::{BodyExt, Collected, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::HeaderMap;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use secrecy::SecretString;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use url::Url;

pub(crate) const KEY: &str = "key-of-the-test";

/// What the server does with one call.
#[derive(Clone)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    steps: Vec<Step>,
}

#[derive(Clone)]
enum Step {
    Send(Bytes),
    Wait(Duration),
    Cut,
    Hang,
}

impl Reply {
    /// A streamed answer of the given events, names and data.
    pub(crate) fn events(events: &[(&str, &str)]) -> Self {
        let text: String = events.iter().map(|(name, data)| format!("event: {name}\ndata: {data}\n\n")).collect();
        Self::answer().then(&text)
    }

    /// The beginning of a streamed answer.
    pub(crate) fn answer() -> Self {
        Self::status(200).header("content-type", "text/event-stream; charset=utf-8")
    }

    /// An error as the API words it.
    pub(crate) fn fault(status: u16, kind: &str, code: Option<&str>) -> Self {
        let error = serde_json::json!({
            "type": "error",
            "error": { "type": kind, "message": "said", "details": { "error_code": code } },
        });
        Self::status(status).then(&error.to_string())
    }

    pub(crate) fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), steps: Vec::new() }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn then(mut self, text: &str) -> Self {
        self.steps.push(Step::Send(Bytes::copy_from_slice(text.as_bytes())));
        self
    }

    pub(crate) fn wait(mut self, wait: Duration) -> Self {
        self.steps.push(Step::Wait(wait));
        self
    }

    /// The connection breaks here.
    pub(crate) fn cut(mut self) -> Self {
        self.steps.push(Step::Cut);
        self
    }

    /// The connection stays open and silent.
    pub(crate) fn hang(mut self) -> Self {
        self.steps.push(Step::Hang);
        self
    }

    fn into_response(self) -> Response<StreamBody<BoxStream<'static, io::Result<Frame<Bytes>>>>> {
        let frames = futures::stream::iter(self.steps)
            .then(|step| async move {
                match step {
                    Step::Send(bytes) => Some(Ok(Frame::data(bytes))),
                    Step::Wait(wait) => {
                        tokio::time::sleep(wait).await;
                        None
                    }
                    Step::Cut => Some(Err(io::Error::other("cut"))),
                    Step::Hang => futures::future::pending().await,
                }
            })
            .filter_map(futures::future::ready)
            .boxed();
        let mut response = Response::builder().status(self.status);
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        response.body(StreamBody::new(frames)).expect("script is valid")
    }
}

/// A call as it arrived.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

#[derive(Default)]
struct State {
    script: Mutex<VecDeque<Reply>>,
    calls: Mutex<Vec<Call>>,
    waits: Mutex<Vec<Duration>>,
}

/// The server; it ends with the test's runtime.
#[derive(Clone)]
pub(crate) struct Server {
    address: SocketAddr,
    state: Arc<State>,
}

impl Server {
    pub(crate) async fn start(script: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback is there");
        let address = listener.local_addr().expect("listener is bound");
        let state = Arc::new(State { script: Mutex::new(script.into_iter().collect()), ..State::default() });
        tokio::spawn(accept(listener, state.clone()));
        Self { address, state }
    }

    /// The calls so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.state.calls.lock().expect("no panic").clone()
    }

    /// The waits between tries so far, in milliseconds; none of them was really waited.
    pub(crate) fn waits(&self) -> Vec<u128> {
        self.state.waits.lock().expect("no panic").iter().map(Duration::as_millis).collect()
    }

    pub(crate) fn config(&self) -> AnthropicConfig {
        let base = Url::parse(&format!("http://{}/", self.address)).expect("valid address");
        AnthropicConfig::new(base, Some(SecretString::from(KEY)))
    }

    pub(crate) fn client(&self) -> AnthropicClient {
        self.client_with(self.config())
    }

    pub(crate) fn client_with(&self, config: AnthropicConfig) -> AnthropicClient {
        AnthropicClient::with_pace(config, Arc::new(NoWait(self.state.clone()))).expect("settings work")
    }
}

/// Notes the waits and does not wait.
struct NoWait(Arc<State>);

impl Pace for NoWait {
    fn sleep(&self, wait: Duration) -> BoxFuture<'static, ()> {
        self.0.waits.lock().expect("no panic").push(wait);
        futures::future::ready(()).boxed()
    }

    fn chance(&self) -> f64 {
        0.0
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    while let Ok((connection, _)) = listener.accept().await {
        tokio::spawn(serve(connection, state.clone()));
    }
}

async fn serve(connection: TcpStream, state: Arc<State>) {
    let service = service_fn(|request: Request<Incoming>| {
        let state = state.clone();
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
            let call = Call {
                method: parts.method,
                path: parts.uri.path().to_owned(),
                headers: parts.headers,
                body: serde_json::from_slice(&body).unwrap_or(Value::Null),
            };
            state.calls.lock().expect("no panic").push(call);
            let reply = state.script.lock().expect("no panic").pop_front();
            let reply = reply.unwrap_or(Reply::fault(418, "script_is_over", None));
            Ok::<_, Infallible>(reply.into_response())
        }
    });
    // A cut answer ends the connection with an error, as it should.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
}

/// A question that any server understands.
pub(crate) fn question() -> LlmRequest {
    LlmRequest {
        model: "claude-test".into(),
        max_tokens: 100,
        system: vec!["rules".into()],
        messages: vec![Turn::user("hello")],
        effort: None,
    }
}

pub(crate) const START: (&str, &str) = (
    "message_start",
    r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","content":[],"model":"claude-test","stop_reason":null,"usage":{"input_tokens":12,"cache_creation_input_tokens":3,"cache_read_input_tokens":4,"output_tokens":1}}}"#,
);
pub(crate) const PING: (&str, &str) = ("ping", r#"{"type":"ping"}"#);
pub(crate) const HEL: (&str, &str) =
    ("content_block_delta", r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel"}}"#);
pub(crate) const LO: (&str, &str) =
    ("content_block_delta", r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"lo"}}"#);
pub(crate) const END: (&str, &str) = (
    "message_delta",
    r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":7}}"#,
);
pub(crate) const STOP: (&str, &str) = ("message_stop", r#"{"type":"message_stop"}"#);

/// A whole answer: "Hello".
pub(crate) fn hello() -> Reply {
    Reply::events(&[START, PING, HEL, LO, END, STOP])
}
