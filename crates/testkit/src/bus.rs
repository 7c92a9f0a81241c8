//! A part of the message bus for one test.

use async_nats::jetstream;
use futures::TryStreamExt;

use crate::cleanup::run_to_end;
use crate::{random_name, server_url};

const SERVER: &str = "CAFFEINE_NATS_URL";

/// A connection, and a prefix that keeps this test's subjects and streams from all others'.
/// When dropped, every stream of the prefix is deleted.
#[derive(Debug)]
pub struct TestBus {
    client: async_nats::Client,
    url: String,
    prefix: String,
}

impl TestBus {
    /// Connects to the server that `make test` started and makes up a prefix.
    pub async fn connect() -> Self {
        Self::connect_to(server_url(SERVER)).await
    }

    /// The same on another server, for tests that stop it.
    pub async fn connect_to(url: String) -> Self {
        let client = connect(&url)
            .await
            .unwrap_or_else(|error| panic!("the nats-server of {SERVER} takes connections: {error}"));
        Self { client, url, prefix: format!("t{}", random_name()) }
    }

    /// The same with a prefix that somebody else has to know before; for a server that only one test uses.
    #[must_use]
    pub fn with_prefix(mut self, prefix: &str) -> Self {
        self.prefix = prefix.to_owned();
        self
    }

    /// The connection.
    pub fn client(&self) -> &async_nats::Client {
        &self.client
    }

    /// JetStream on this connection.
    pub fn jetstream(&self) -> jetstream::Context {
        jetstream::new(self.client.clone())
    }

    /// The address of the server, with user and password.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The letter t and eight hexadecimal digits: first token of the subjects, and start of the
    /// names of the streams, in small letters or capitals.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The names of this test's streams.
    pub async fn streams(&self) -> Vec<String> {
        streams_of(&self.jetstream(), &self.prefix)
            .await
            .unwrap_or_else(|error| panic!("the streams can be listed: {error}"))
    }

    /// Deletes the streams now; dropping this value does the same.
    pub async fn close(self) {
        delete_streams(&self.jetstream(), &self.prefix).await;
    }
}

impl Drop for TestBus {
    fn drop(&mut self) {
        let (url, prefix) = (self.url.clone(), self.prefix.clone());
        run_to_end(async move {
            if let Ok(client) = connect(&url).await {
                delete_streams(&jetstream::new(client), &prefix).await;
            }
        });
    }
}

/// The client ignores user and password in an address, so they are taken out of it here.
async fn connect(url: &str) -> Result<async_nats::Client, async_nats::ConnectError> {
    let address: async_nats::ServerAddr = url.parse().unwrap_or_else(|error| panic!("{SERVER} is an address: {error}"));
    let mut options = async_nats::ConnectOptions::new();
    if let (Some(user), Some(password)) = (address.username(), address.password()) {
        options = options.user_and_password(user.to_owned(), password.to_owned());
    }
    options.connect(address).await
}

async fn delete_streams(context: &jetstream::Context, prefix: &str) {
    for name in streams_of(context, prefix).await.unwrap_or_default() {
        let _ = context.delete_stream(name).await;
    }
}

/// The streams that belong to a prefix, by their name or by a subject.
async fn streams_of(
    context: &jetstream::Context,
    prefix: &str,
) -> Result<Vec<String>, jetstream::context::StreamsError> {
    let subjects = format!("{prefix}.");
    let all: Vec<_> = context.streams().try_collect().await?;
    Ok(all
        .into_iter()
        .map(|stream| stream.config)
        .filter(|config| {
            config.name.to_ascii_lowercase().starts_with(prefix)
                || config.subjects.iter().any(|subject| subject.starts_with(&subjects))
        })
        .map(|config| config.name)
        .collect())
}
