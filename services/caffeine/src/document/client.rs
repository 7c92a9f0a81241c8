//! The gateway's API, as this program uses it.

use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::header::RETRY_AFTER;
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

/// The longest wait that a gateway is believed.
const MAX_WAIT_SECONDS: u64 = 60;

/// A client with a token.
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    token: String,
}

/// What the gateway answers to a submission.
#[derive(Debug, Deserialize)]
pub(crate) struct Submitted {
    /// The run that was started.
    pub(crate) run: String,
}

impl Client {
    /// A client for the gateway at `base`.
    pub(crate) fn new(base: Url, token: String) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .build()
            .context("build the HTTP client")?;
        Ok(Self { http, base: base.join("api/v1/").context("make the API's address")?, token })
    }

    /// Submits a repository and starts a run.
    pub(crate) async fn submit(&self, url: &str, reference: &str, documents: &[Value]) -> anyhow::Result<Submitted> {
        let body = json!({ "url": url, "ref": reference, "documents": documents });
        let request = self.http.post(self.address("repositories")?).json(&body);
        let answer: Value = decode(self.send(request).await?).await?;
        let run = answer.pointer("/run/id").and_then(Value::as_str).context("the gateway named no run")?;
        Ok(Submitted { run: run.to_owned() })
    }

    /// Cancels a run.
    pub(crate) async fn cancel(&self, run: Uuid) -> anyhow::Result<()> {
        self.send(self.http.post(self.address(&format!("runs/{run}/cancel"))?)).await.map(drop)
    }

    /// Deletes a repository.
    pub(crate) async fn delete(&self, repository: Uuid) -> anyhow::Result<()> {
        self.send(self.http.delete(self.address(&format!("repositories/{repository}"))?)).await.map(drop)
    }

    /// A JSON resource.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        decode(self.send(self.http.get(self.address(path)?).timeout(Duration::from_secs(60))).await?).await
    }

    /// A text resource; nothing if there is none.
    pub(crate) async fn text(&self, path: &str) -> anyhow::Result<Option<String>> {
        let request = self.http.get(self.address(path)?).timeout(Duration::from_secs(60));
        let answer = self.answer(request).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        Ok(Some(checked(answer).await?.text().await.context("read the gateway's answer")?))
    }

    /// An open event stream.
    pub(crate) async fn events(&self, run: &str, last: Option<&str>) -> anyhow::Result<Response> {
        let mut request = self.http.get(self.address(&format!("runs/{run}/events"))?);
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        self.send(request).await
    }

    /// The id of a template by its name.
    pub(crate) async fn template_id(&self, name: &str) -> anyhow::Result<String> {
        let page: Value = self.get("prompts?limit=200").await?;
        let templates = page["items"].as_array().cloned().unwrap_or_default();
        let found = templates
            .iter()
            .find(|template| template["name"].as_str().is_some_and(|known| known.eq_ignore_ascii_case(name)));
        if let Some(id) = found.and_then(|template| template["id"].as_str()) {
            return Ok(id.to_owned());
        }
        let names: Vec<&str> = templates.iter().filter_map(|template| template["name"].as_str()).collect();
        bail!("there is no prompt template named `{name}`; there are: {}", names.join(", "))
    }

    fn address(&self, path: &str) -> anyhow::Result<Url> {
        self.base.join(path).with_context(|| format!("make the address of {path}"))
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Response> {
        checked(self.answer(request).await?).await
    }

    /// Asks, and again when the gateway says that it was too soon: a document can have more pages than anybody may read
    /// in a minute.
    async fn answer(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Response> {
        let request = request.bearer_auth(&self.token);
        loop {
            let once = request.try_clone().context("repeat a request")?;
            let answer = once.send().await.context("ask the gateway")?;
            if answer.status() != StatusCode::TOO_MANY_REQUESTS {
                return Ok(answer);
            }
            let wait = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            tokio::time::sleep(Duration::from_secs(wait.unwrap_or(1).clamp(1, MAX_WAIT_SECONDS))).await;
        }
    }
}

/// Turns a problem document into its sentence.
async fn checked(answer: Response) -> anyhow::Result<Response> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let problem: Value = answer.json().await.unwrap_or(Value::Null);
    let sentence = problem["detail"].as_str().or(problem["title"].as_str()).unwrap_or("no reason given");
    match status {
        StatusCode::UNAUTHORIZED => bail!("the gateway refuses the token: {sentence}"),
        _ => bail!("{sentence}"),
    }
}

async fn decode<T: DeserializeOwned>(answer: Response) -> anyhow::Result<T> {
    answer.json().await.context("read the gateway's answer")
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::Client;

    #[tokio::test]
    async fn whoever_asks_too_soon_asks_again() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let server = tokio::spawn(async move {
            for answer in ["429 Too Many Requests\r\nretry-after: 1", "200 OK"] {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _ = stream.read(&mut [0; 4_096]).await.unwrap();
                let text = format!("HTTP/1.1 {answer}\r\nconnection: close\r\ncontent-length: 4\r\n\r\npage");
                stream.write_all(text.as_bytes()).await.unwrap();
            }
        });
        let client = Client::new(base, "cc_token".to_owned()).unwrap();
        assert_eq!(client.text("documents/1/pages/index.md").await.unwrap().as_deref(), Some("page"));
        server.await.unwrap();
    }
}
