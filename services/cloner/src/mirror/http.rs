//! Git over HTTP with every byte of the answers counted.

use std::any::Any;
use std::io::{self, BufRead, Read};
use std::sync::{Arc, Mutex};

use gix::protocol::transport::Protocol;
use gix::protocol::transport::client::blocking_io::http::options::FollowRedirects;
use gix::protocol::transport::client::blocking_io::http::reqwest::{Options as ClientOptions, Remote};
use gix::protocol::transport::client::blocking_io::http::{
    GetResponse, Http, Options, PostBodyDataKind, PostResponse, Transport,
};
use url::Url;

use super::guard::Guard;
use crate::CloneError;
use crate::source::Route;

/// The transport of one fetch. `url` must be the end of its redirects: none is followed from here.
pub(super) fn transport<'guard>(
    url: &Url,
    git_url: gix::Url,
    route: &Route,
    guard: &'guard Guard,
) -> Result<(Transport<Metered<'guard>>, Box<dyn Any>), CloneError> {
    let metered = Metered { inner: Remote::default(), guard };
    let transport = Transport::new_http(metered, git_url, Protocol::V2, false);
    let configure = route.configure(url)?;
    let client = ClientOptions {
        configure_client: Some(Box::new(move |builder| Ok(configure(builder)))),
        configure_request: None,
    };
    let options = Options {
        follow_redirects: FollowRedirects::None,
        backend: Some(Arc::new(Mutex::new(client))),
        ..Options::default()
    };
    Ok((transport, Box::new(options)))
}

/// The HTTP client of gix behind the guard.
pub(super) struct Metered<'guard> {
    inner: Remote,
    guard: &'guard Guard,
}

/// A body whose bytes are counted.
pub(super) struct MeteredBody<'guard, R> {
    inner: R,
    guard: &'guard Guard,
}

impl<'guard> Http for Metered<'guard> {
    type Headers = MeteredBody<'guard, <Remote as Http>::Headers>;
    type ResponseBody = MeteredBody<'guard, <Remote as Http>::ResponseBody>;
    type PostBody = <Remote as Http>::PostBody;

    fn get(
        &mut self,
        url: &str,
        base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> gix::Result<GetResponse<Self::Headers, Self::ResponseBody>> {
        let response = self.inner.get(url, base_url, headers)?;
        Ok(GetResponse { headers: self.metered(response.headers), body: self.metered(response.body) })
    }

    fn post(
        &mut self,
        url: &str,
        base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
        kind: PostBodyDataKind,
    ) -> gix::Result<PostResponse<Self::Headers, Self::ResponseBody, Self::PostBody>> {
        let response = self.inner.post(url, base_url, headers, kind)?;
        Ok(PostResponse {
            post_body: response.post_body,
            headers: self.metered(response.headers),
            body: self.metered(response.body),
        })
    }

    fn configure(&mut self, config: &dyn Any) -> gix::Result {
        self.inner.configure(config)
    }
}

impl<'guard> Metered<'guard> {
    fn metered<R>(&self, inner: R) -> MeteredBody<'guard, R> {
        MeteredBody { inner, guard: self.guard }
    }
}

impl<R: BufRead> BufRead for MeteredBody<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.guard.check()?;
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.guard.count(amount);
        self.inner.consume(amount);
    }
}

impl<R: BufRead> Read for MeteredBody<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let amount = available.len().min(buffer.len());
        buffer[..amount].copy_from_slice(&available[..amount]);
        self.consume(amount);
        Ok(amount)
    }
}
