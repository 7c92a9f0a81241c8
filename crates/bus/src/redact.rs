//! Addresses without credentials.

/// The address without user and password, for messages and logs. Works on lists separated by commas, and on what is
/// no address at all.
#[must_use]
pub fn redact_url(url: &str) -> String {
    url.split(',').map(redact_one).collect::<Vec<_>>().join(",")
}

fn redact_one(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    // An unescaped `/` or `?` in a password must not make it look like a path: everything up to the last `@` goes.
    let shown = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    if scheme.is_empty() { shown.to_owned() } else { format!("{scheme}://{shown}") }
}

#[cfg(test)]
mod tests {
    use super::redact_url;

    #[test]
    fn credentials_are_gone() {
        for (url, shown) in [
            ("nats://h:1", "nats://h:1"),
            ("nats://u:p@h:1", "nats://h:1"),
            ("nats://u:p@h:1,nats://u:p@i:2", "nats://h:1,nats://i:2"),
            ("postgres://u:p/q?@@h/db?x=1", "postgres://h/db?x=1"),
            ("u:p@h", "h"),
            ("", ""),
        ] {
            assert_eq!(redact_url(url), shown, "{url}");
        }
    }
}
