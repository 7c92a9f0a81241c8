//! A server that speaks as much of the Messages API as a test needs.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use caffeine_llm::anthropic::{AnthropicClient, AnthropicConfig};
use caffeine_sendgate::{EgressPolicy, SendGate};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the server says to one call.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// A streamed answer and why it stops.
    Answer(String, &'static str),
    /// A whole answer after a while.
    Late(Duration, String),
    /// An error of the API.
    Fault(u16, &'static str),
}

impl Reply {
    pub(crate) fn answer(text: &str) -> Self {
        Self::Answer(text.to_owned(), "end_turn")
    }

    fn bytes(&self) -> String {
        let (text, stop) = match self {
            Self::Answer(text, stop) => (text, *stop),
            Self::Late(_, text) => (text, "end_turn"),
            Self::Fault(status, kind) => {
                let body = json!({"type": "error", "error": {"type": kind, "message": "said"}}).to_string();
                return format!(
                    "HTTP/1.1 {status} Fault\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
            }
        };

        let mut events = vec![
            json!({"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 120, "output_tokens": 1}}}),
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        ];
        let letters: Vec<char> = text.chars().collect();
        events.extend(letters.chunks(7).map(|piece| {
            let text: String = piece.iter().collect();
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})
        }));
        events.push(json!({"type": "content_block_stop", "index": 0}));
        events.push(json!({"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": 42}}));
        events.push(json!({"type": "message_stop"}));
        let body: String = events
            .iter()
            .map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()))
            .collect();
        format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{body}")
    }
}

/// A model on a free port.
pub(crate) struct Model {
    pub(crate) gate: SendGate,
    calls: Arc<Mutex<Vec<Value>>>,
}

impl Model {
    /// Answers each call with the next reply; beyond the last with a fault that is not tried again.
    pub(crate) async fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let replies = Arc::new(Mutex::new(VecDeque::from(replies)));
        let recorded = Arc::clone(&calls);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&replies), Arc::clone(&recorded)));
            }
        });
        let base = format!("http://{address}").parse().unwrap();
        let mut config = AnthropicConfig::new(base, Some("key".to_owned().into()));
        config.max_attempts = 1;
        config.deadline = Duration::from_secs(20);
        let client = AnthropicClient::new(config).unwrap();
        Self { gate: SendGate::new(EgressPolicy::Approved, Some(Arc::new(client))), calls }
    }

    /// The bodies of the calls so far.
    pub(crate) fn calls(&self) -> Vec<Value> {
        self.calls.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, replies: Arc<Mutex<VecDeque<Reply>>>, calls: Arc<Mutex<Vec<Value>>>) {
    let mut bytes = Vec::new();
    let body = loop {
        let mut piece = [0; 8_192];
        let Ok(read) = stream.read(&mut piece).await else { return };
        if read == 0 {
            return;
        }
        bytes.extend_from_slice(&piece[..read]);
        let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..at]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
        if bytes.len() >= at + 4 + length.unwrap_or(0) {
            break bytes.split_off(at + 4);
        }
    };
    calls.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
    let reply = replies.lock().unwrap().pop_front().unwrap_or(Reply::Fault(400, "invalid_request_error"));
    if let Reply::Late(after, _) = &reply {
        tokio::time::sleep(*after).await;
    }
    let _ = stream.write_all(reply.bytes().as_bytes()).await;
    let _ = stream.shutdown().await;
}
