//! The gateway as a client sees it.

use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

/// A client with a token.
#[derive(Debug, Clone)]
pub struct Api {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Api {
    /// A client for the gateway at `base` (`http://127.0.0.1:…`).
    #[must_use]
    pub fn new(base: String, token: String) -> Self {
        // Ignored if a provider is installed already: it is the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(30))
            .build()
            .expect("a client without options can be built");
        Self { http, base, token }
    }

    /// Where the gateway answers.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The administrator's token.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// `GET` with the token; the status and the JSON, or `null` if the body is none.
    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.send(self.http.get(format!("{}/api/v1{path}", self.base))).await
    }

    /// `GET` of a text with the token.
    ///
    /// # Panics
    /// If the gateway does not answer with success.
    pub async fn text(&self, path: &str) -> String {
        let request = self.http.get(format!("{}/api/v1{path}", self.base)).bearer_auth(&self.token);
        let answer = request.send().await.and_then(reqwest::Response::error_for_status).expect("the gateway answers");
        answer.text().await.expect("the answer is text")
    }

    /// `POST` of JSON with the token; the status, the media type and the JSON.
    ///
    /// # Panics
    /// If the gateway does not answer with JSON.
    pub async fn post_typed(&self, path: &str, body: &Value) -> (u16, String, Value) {
        let request = self.http.post(format!("{}/api/v1{path}", self.base)).json(body).bearer_auth(&self.token);
        let answer = request.send().await.expect("the gateway answers");
        let media_type = answer.headers().get(reqwest::header::CONTENT_TYPE);
        let media_type = media_type.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        (answer.status().as_u16(), media_type, answer.json().await.expect("the answer is JSON"))
    }

    /// `POST` of JSON with the token.
    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send(self.http.post(format!("{}/api/v1{path}", self.base)).json(body)).await
    }

    /// `POST` of JSON with the token, which makes something once however often it is sent with this key.
    pub async fn post_once(&self, path: &str, body: &Value, key: Uuid) -> (u16, Value) {
        let request = self.http.post(format!("{}/api/v1{path}", self.base)).header("Idempotency-Key", key.to_string());
        self.send(request.json(body)).await
    }

    /// Whether the gateway answers at all.
    pub async fn is_up(&self) -> bool {
        self.http
            .get(format!("{}/api/v1/health", self.base))
            .send()
            .await
            .is_ok_and(|answer| answer.status().is_success())
    }

    /// Submits a repository and returns the id of its run.
    ///
    /// # Panics
    /// If the gateway refuses.
    pub async fn submit(&self, url: &str) -> Uuid {
        self.submit_for(url, &serde_json::json!([{ "writer": "structural" }])).await
    }

    /// Submits a repository for these documents and returns the id of its run.
    ///
    /// # Panics
    /// If the gateway refuses.
    pub async fn submit_for(&self, url: &str, documents: &Value) -> Uuid {
        self.add(url, documents).await.1
    }

    /// Submits a repository for these documents and returns its id and that of its run.
    ///
    /// # Panics
    /// If the gateway refuses.
    pub async fn add(&self, url: &str, documents: &Value) -> (Uuid, Uuid) {
        let body = serde_json::json!({ "url": url, "documents": documents });
        let (status, body) = self.post("/repositories", &body).await;
        assert!(status == 201 || status == 200, "{status}: {body}");
        (uuid_at(&body, "/repository/id"), uuid_at(&body, "/run/id"))
    }

    /// The run's state word and the whole answer.
    pub async fn run(&self, run: Uuid) -> (String, Value) {
        let (status, body) = self.get(&format!("/runs/{run}")).await;
        if status != 200 {
            return (format!("status {status}"), body);
        }
        (body["state"].as_str().unwrap_or_default().to_owned(), body)
    }

    /// `DELETE` with the token.
    pub async fn delete(&self, path: &str) -> (u16, Value) {
        self.send(self.http.delete(format!("{}/api/v1{path}", self.base))).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> (u16, Value) {
        match request.bearer_auth(&self.token).send().await {
            Ok(answer) => {
                let status = answer.status().as_u16();
                (status, answer.json().await.unwrap_or(Value::Null))
            }
            // No answer: callers poll.
            Err(_) => (0, Value::Null),
        }
    }
}

/// The identifier at a JSON pointer.
fn uuid_at(body: &Value, pointer: &str) -> Uuid {
    body.pointer(pointer)
        .and_then(Value::as_str)
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| panic!("no identifier at {pointer} of {body}"))
}
