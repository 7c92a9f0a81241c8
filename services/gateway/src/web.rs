//! The web interface: the files of `web/dist`, built into the program.
//!
//! It is the same for everybody and holds no data, so it is served without asking who is there; everything it shows it
//! asks the API for. Assets have a hash in their name and are kept for a year. The page that names them is asked for
//! anew each time, and stands for every address that a browser navigates to, except those that belong to the API.
//! What a browser must not do with any of it is said by the shell (`api/headers.rs`).

use std::borrow::Cow;

use poem::endpoint::BoxEndpoint;
use poem::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use poem::{Endpoint, Request, Response};
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

use crate::api::access;

/// What `make web` has built; nothing if it has not run. A debug build reads the folder anew each time.
#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Files;

/// The page that all navigation leads to.
const INDEX: &str = "index.html";
/// Shown by a program that was built without an interface.
const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>CaffeineCode</title>\
    <h1>CaffeineCode is running</h1><p>This program was built without its web interface. Run <code>make web</code>, \
    build it again, and load this page again. The API is below <code>/api/v1</code>.";

const FOR_A_YEAR: &str = "public, max-age=31536000, immutable";
const ASK_AGAIN: &str = "no-cache";

/// The interface in front of the API.
pub(crate) struct Web {
    api: BoxEndpoint<'static, Response>,
}

impl Web {
    /// `api` answers what is no file and no page of the interface.
    pub(crate) fn before(api: BoxEndpoint<'static, Response>) -> Self {
        Self { api }
    }
}

impl Endpoint for Web {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        match answer(request.method(), request.uri().path(), request.headers()) {
            Some(response) => Ok(response),
            None => self.api.call(request).await,
        }
    }
}

/// The answer to a request for a file or a page of the interface; `None` if it is for the API.
fn answer(method: &Method, path: &str, headers: &HeaderMap) -> Option<Response> {
    if access::is_for_programs(path) || (method != Method::GET && method != Method::HEAD) {
        return None;
    }
    let name = path.trim_start_matches('/');
    if !name.is_empty() && name != INDEX && Files::get(name).is_some() {
        return Some(file(name, headers));
    }
    // What a page names and is not there is an error to be seen, not a page.
    if !says(headers, header::ACCEPT, "text/html") {
        return None;
    }
    if Files::get(INDEX).is_some() {
        return Some(file(INDEX, headers));
    }
    let page = Response::builder().content_type("text/html; charset=utf-8");
    Some(page.header(header::CACHE_CONTROL, ASK_AGAIN).body(NOT_BUILT))
}

/// A file in the smallest form that the browser takes: the build has packed the texts already.
fn file(name: &str, headers: &HeaderMap) -> Response {
    let forms = [("br", ".br"), ("gzip", ".gz")];
    let packed = forms.iter().find_map(|(coding, ending)| {
        let accepted = says(headers, header::ACCEPT_ENCODING, coding);
        accepted.then(|| Files::get(&format!("{name}{ending}")))?.map(|found| (Some(*coding), found))
    });
    let Some((coding, found)) = packed.or_else(|| Files::get(name).map(|found| (None, found))) else {
        return Response::builder().status(StatusCode::NOT_FOUND).finish();
    };
    let cache = if name.starts_with("assets/") { FOR_A_YEAR } else { ASK_AGAIN };
    let tag = tag(&found.data);
    let mut response = if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        Response::builder().status(StatusCode::NOT_MODIFIED).finish()
    } else {
        let body = match found.data {
            Cow::Borrowed(bytes) => poem::Body::from_bytes(bytes.into()),
            Cow::Owned(bytes) => poem::Body::from(bytes),
        };
        Response::builder().content_type(content_type(name)).body(body)
    };
    let fields = response.headers_mut();
    if let Some(coding) = coding {
        fields.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    fields.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        fields.insert(header::ETAG, tag);
    }
    response
}

fn tag(bytes: &[u8]) -> String {
    format!("\"{}\"", hex::encode(&Sha256::digest(bytes)[..16]))
}

/// Whether a header's list has an entry that is not refused (`q=0`).
fn says(headers: &HeaderMap, name: header::HeaderName, wanted: &str) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let is_wanted = parts.next().is_some_and(|word| word.eq_ignore_ascii_case(wanted));
        is_wanted && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "woff2" => "font/woff2",
        "woff" => "font/woff",
        "png" => "image/png",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use poem::http::{HeaderMap, HeaderValue, Method, header};

    use super::{answer, content_type, says};

    fn accepting(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(value))])
    }

    #[test]
    fn navigation_is_ours_and_the_api_is_not() {
        let page = "text/html,application/xhtml+xml;q=0.9";
        for (method, path, accept, ours) in [
            (Method::GET, "/", page, true),
            (Method::HEAD, "/", page, true),
            (Method::GET, "/repositories/1/source/src/main.rs", page, true),
            (Method::GET, "/apiary", page, true),
            (Method::GET, "/api", page, false),
            (Method::GET, "/api/v1/nothing", page, false),
            (Method::GET, "/login", page, false),
            (Method::GET, "/login/callback", page, false),
            (Method::GET, "/hooks/1", page, false),
            (Method::POST, "/", page, false),
            (Method::GET, "/assets/gone.js", "*/*", false),
            (Method::GET, "/", "application/json", false),
            (Method::GET, "/", "text/html;q=0", false),
            (Method::GET, "/../Cargo.toml", "*/*", false),
        ] {
            assert_eq!(answer(&method, path, &accepting(accept)).is_some(), ours, "{method} {path} {accept}");
        }
    }

    #[test]
    fn refused_codings() {
        let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, br;q=0"))]);
        assert!(says(&headers, header::ACCEPT_ENCODING, "gzip"));
        assert!(!says(&headers, header::ACCEPT_ENCODING, "br"));
    }

    #[test]
    fn types() {
        assert_eq!(content_type("assets/a.b.js"), "text/javascript; charset=utf-8");
        assert_eq!(content_type("LICENSE"), "application/octet-stream");
    }
}
