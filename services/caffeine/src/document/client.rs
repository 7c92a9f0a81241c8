//! The gateway's API, as this program uses it.

use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

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
        let answer = request.bearer_auth(&self.token).send().await.context("ask the gateway")?;
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
        checked(request.bearer_auth(&self.token).send().await.context("ask the gateway")?).await
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
