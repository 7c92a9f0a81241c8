//! Where a request comes from: which site made the browser send it, and from which address.

use std::net::IpAddr;

use ipnet::IpNet;
use poem::Request;
use poem::http::{Method, header};

/// Whether a method changes nothing.
pub(crate) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Whether a browser sent the request for a page of ours, or for the person at the keyboard. `public` is our origin as
/// browsers see it; without one, the host that the request was sent to.
pub(crate) fn is_ours(request: &Request, public: Option<&str>) -> bool {
    if let Some(site) = request.header("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    // An older browser: it says the origin with everything that changes something.
    let Some(origin) = request.header(header::ORIGIN) else { return false };
    match (public, request.header(header::HOST)) {
        (Some(public), _) => origin == public,
        (None, Some(host)) => origin.split_once("://").is_some_and(|(_, authority)| authority == host),
        (None, None) => false,
    }
}

/// Whether a body is JSON, which no form of a foreign page can send, or there is none.
pub(crate) fn is_json_or_empty(request: &Request) -> bool {
    let Some(media) = request.header(header::CONTENT_TYPE) else { return true };
    let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media == "application/json" || (media.starts_with("application/") && media.ends_with("+json"))
}

/// The client's address: what the connection says, or, if that is one of our proxies, what the last one of them says.
pub(crate) fn client_address(request: &Request, trusted: &[IpNet]) -> Option<IpAddr> {
    let peer = request.remote_addr().as_socket_addr().map(|address| address.ip().to_canonical())?;
    let forwarded = request.headers().get_all("x-forwarded-for").iter();
    let forwarded: Vec<&str> =
        forwarded.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).collect();
    Some(behind(peer, &forwarded, trusted))
}

/// Goes back through the proxies as far as they are ours.
fn behind(peer: IpAddr, forwarded: &[&str], trusted: &[IpNet]) -> IpAddr {
    let is_ours = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    let mut client = peer;
    for hop in forwarded.iter().rev() {
        if !is_ours(&client) {
            break;
        }
        // A name or rubbish: the proxy that wrote it is the last one that we know.
        let Ok(address) = hop.trim().parse::<IpAddr>() else { break };
        client = address.to_canonical();
    }
    client
}

/// Reads the setting: addresses and nets.
pub(crate) fn trusted_proxies(items: &[String]) -> Result<Vec<IpNet>, String> {
    let parse = |item: &String| {
        let net = item.parse::<IpNet>().ok();
        net.or_else(|| item.parse::<IpAddr>().ok().map(IpNet::from)).ok_or_else(|| item.clone())
    };
    items.iter().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use poem::Request;
    use poem::http::Method;

    use super::{behind, is_json_or_empty, is_ours, trusted_proxies};

    fn request(headers: &[(&str, &str)]) -> Request {
        let mut builder = Request::builder().method(Method::POST);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.finish()
    }

    #[test]
    fn foreign_sites_are_told_apart() {
        let public = Some("https://docs.corp");
        for (headers, public, expected) in [
            (&[("sec-fetch-site", "same-origin")][..], None, true),
            (&[("sec-fetch-site", "none")], None, true),
            (&[("sec-fetch-site", "same-site")], None, false),
            (&[("sec-fetch-site", "cross-site"), ("origin", "https://docs.corp")], public, false),
            (&[("origin", "https://docs.corp")], public, true),
            (&[("origin", "http://docs.corp")], public, false),
            (&[("origin", "https://docs.corp.evil")], public, false),
            (&[("origin", "null")], public, false),
            (&[("origin", "http://127.0.0.1:8080"), ("host", "127.0.0.1:8080")], None, true),
            (&[("origin", "http://127.0.0.1:9090"), ("host", "127.0.0.1:8080")], None, false),
            (&[("host", "127.0.0.1:8080")], None, false),
            (&[], public, false),
        ] {
            assert_eq!(is_ours(&request(headers), public), expected, "{headers:?}");
        }
    }

    #[test]
    fn forms_are_no_json() {
        for (media, expected) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/merge-patch+json", true),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
            ("multipart/form-data; boundary=application/json", false),
        ] {
            assert_eq!(is_json_or_empty(&request(&[("content-type", media)])), expected, "{media}");
        }
        assert!(is_json_or_empty(&request(&[])));
    }

    #[test]
    fn only_our_proxies_are_believed() {
        let trusted = trusted_proxies(&["10.0.0.0/8".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        for (peer, forwarded, expected) in [
            ("203.0.113.9", &["198.51.100.1"][..], "203.0.113.9"),
            ("10.1.1.1", &[], "10.1.1.1"),
            ("10.1.1.1", &["198.51.100.1"], "198.51.100.1"),
            ("127.0.0.1", &["6.6.6.6", " 198.51.100.1", "10.2.2.2"], "198.51.100.1"),
            ("10.1.1.1", &["198.51.100.1", "unknown"], "10.1.1.1"),
            ("10.1.1.1", &["2001:db8::1"], "2001:db8::1"),
        ] {
            let found = behind(peer.parse().unwrap(), forwarded, &trusted);
            assert_eq!(found, expected.parse::<std::net::IpAddr>().unwrap(), "{peer} {forwarded:?}");
        }
        assert_eq!(trusted_proxies(&["10.0.0.0/99".to_owned()]), Err("10.0.0.0/99".to_owned()));
    }
}
