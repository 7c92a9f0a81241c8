//! Addresses without credentials.

/// The address without user and password, for messages and logs. Works on lists separated by commas, and on what is
/// no address at all.
#[must_use]
pub fn redact_url(url: &str) -> String {
    let mut shown = Vec::new();
    let mut address = String::new();
    for (number, piece) in url.split(',').enumerate() {
        // A comma in a password must not part it from its `@`: only a scheme begins another address for sure.
        if scheme_of(piece).is_some() && number > 0 {
            shown.push(redact_one(&std::mem::take(&mut address)));
        } else if number > 0 {
            address.push(',');
        }
        address.push_str(piece);
    }
    shown.push(redact_one(&address));
    shown.join(",")
}

fn redact_one(url: &str) -> String {
    let (scheme, rest) = scheme_of(url).map_or(("", url), |scheme| url.split_at(scheme.len() + 3));
    // An unescaped `/` or `?` in a password must not make it look like a path: everything up to the last `@` goes.
    let shown = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    format!("{scheme}{shown}")
}

/// What stands before `://`, if that can be a scheme.
fn scheme_of(url: &str) -> Option<&str> {
    let (scheme, _) = url.split_once("://")?;
    let is_scheme = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    (is_scheme && !scheme.is_empty()).then_some(scheme)
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
            ("u:p@h/x?y=a://b", "h/x?y=a://b"),
            ("nats://u:p,q@h:1,nats://i:2", "nats://h:1,nats://i:2"),
            ("nats://u:p@h:1,i:2", "nats://h:1,i:2"),
            ("://u:p@h", "h"),
            ("", ""),
        ] {
            assert_eq!(redact_url(url), shown, "{url}");
        }
    }
}
