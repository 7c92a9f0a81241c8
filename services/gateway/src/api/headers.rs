//! Headers of every answer: what a browser must not do with it.

use poem::Response;
use poem::http::{HeaderName, HeaderValue, header};

use super::access;

/// Nothing of the interface is a page for a browser, so nothing may run and nothing may be guessed.
const FOR_PROGRAMS: &str = "default-src 'none'; frame-ancestors 'none'; sandbox";
/// For a year, as every list of the careful says.
const STRICT_TRANSPORT: &str = "max-age=31536000";

/// What the application's pages may load: their own files and nothing else. Elements of style need the `nonce`, if the
/// page has one.
pub(crate) fn page_policy(nonce: Option<&str>) -> String {
    let style = nonce.map_or_else(String::new, |nonce| format!(" 'nonce-{nonce}'"));
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'{style}; img-src 'self' data:; font-src 'self'; \
         connect-src 'self'; manifest-src 'self'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'; \
         form-action 'self'"
    )
}

/// Adds what is not there yet: an answer may bring a policy of its own.
pub(crate) fn secure(response: &mut Response, path: &str, behind_tls: bool) {
    let headers = response.headers_mut();
    let policy = if access::is_for_programs(path) { FOR_PROGRAMS.to_owned() } else { page_policy(None) };
    let mut default = |name: HeaderName, value: &str| {
        if !headers.contains_key(&name)
            && let Ok(value) = HeaderValue::from_str(value)
        {
            headers.insert(name, value);
        }
    };
    default(header::CONTENT_SECURITY_POLICY, &policy);
    default(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    default(header::REFERRER_POLICY, "same-origin");
    default(header::CACHE_CONTROL, "no-store");
    default(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    default(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    default(
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    );
    if behind_tls {
        default(header::STRICT_TRANSPORT_SECURITY, STRICT_TRANSPORT);
    }
}
