//! The files of the web interface, and what must not be taken for one.

use reqwest::{Method, Response};

use crate::fixture::Fixture;

async fn get(fixture: &Fixture, path: &str, accept: &str) -> Response {
    let request = fixture.http.request(Method::GET, format!("{}{path}", fixture.base));
    request.header("accept", accept).header("accept-encoding", "br, gzip").send().await.unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn pages_need_no_token_and_may_load_nothing_foreign() {
    let fixture = Fixture::start().await;
    for path in ["/", "/sign-in", "/repositories/1/source/src/main.rs"] {
        let page = get(&fixture, path, "text/html").await;
        assert_eq!(page.status(), 200, "{path}");
        assert_eq!(header(&page, "content-type"), "text/html; charset=utf-8");
        assert_eq!(header(&page, "cache-control"), "no-cache");
        let policy = header(&page, "content-security-policy").to_owned();
        assert!(policy.contains("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("sandbox"), "{policy}");
    }
    fixture.stop().await;
}

#[tokio::test]
async fn what_is_asked_of_the_api_is_never_answered_with_a_page() {
    let fixture = Fixture::start().await;
    for (path, expected) in [("/api/v1/nothing", 401), ("/api", 401), ("/api/v1/repositories", 401)] {
        let answer = get(&fixture, path, "text/html").await;
        assert_eq!(answer.status(), expected, "{path}");
        assert_eq!(header(&answer, "content-type"), "application/problem+json", "{path}");
    }
    let missing = get(&fixture, "/assets/gone.js", "*/*").await;
    assert_eq!(missing.status(), 404);
    assert_eq!(header(&missing, "content-type"), "application/problem+json");
    fixture.stop().await;
}

/// What `make web` has built: `make test` builds it, other test runs may go without.
#[tokio::test]
async fn assets_are_packed_and_kept_for_a_year() {
    let fixture = Fixture::start().await;
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/dist/assets");
    let page = get(&fixture, "/", "text/html").await;
    let Ok(entries) = std::fs::read_dir(folder) else {
        let page = page.text().await.unwrap();
        assert!(page.contains("make web"), "{page}");
        return fixture.stop().await;
    };
    assert_eq!(header(&page, "content-encoding"), "br", "the page that was built, and not the one in its place");
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let name = names.into_iter().find(|name| name.starts_with("index-") && name.ends_with(".js")).unwrap();
    let script = get(&fixture, &format!("/assets/{name}"), "*/*").await;
    assert_eq!(script.status(), 200);
    assert_eq!(header(&script, "content-encoding"), "br");
    assert_eq!(header(&script, "vary"), "accept-encoding");
    assert_eq!(header(&script, "cache-control"), "public, max-age=31536000, immutable");
    let tag = header(&script, "etag").to_owned();
    let again = fixture.http.get(format!("{}/assets/{name}", fixture.base)).header("accept-encoding", "br");
    let again = again.header("if-none-match", tag).send().await.unwrap();
    assert_eq!(again.status(), 304);
    fixture.stop().await;
}
