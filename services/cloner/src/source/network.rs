//! Whom the cloner may talk to: addresses are checked when a connection is made, so a name cannot point to one place
//! when it is checked and to another when it is used.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use super::HostPort;
use crate::CloneError;

/// A host that does not take the connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// A host that does not answer the first question.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// A host that stops talking, while it collects a pack or while it sends one.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(60);

/// Which hosts may be reached: public ones, and those the operator allows.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    allowed: Arc<[HostPort]>,
}

impl Reach {
    /// Public addresses, and these hosts wherever they are.
    #[must_use]
    pub fn new(allowed: Vec<HostPort>) -> Self {
        Self { allowed: allowed.into() }
    }

    /// Whether the operator allows this host by name.
    fn allows(&self, url: &Url) -> bool {
        self.allowed.iter().any(|host| host.matches(url))
    }

    /// Refuses an address whose host is a number in a private network. Names are checked when they are resolved.
    ///
    /// # Errors
    /// A sentence that says what to do.
    pub fn check(&self, url: &Url) -> Result<(), CloneError> {
        if self.allows(url) {
            return Ok(());
        }
        let number = match url.host() {
            Some(Host::Ipv4(ip)) => IpAddr::V4(ip),
            Some(Host::Ipv6(ip)) => IpAddr::V6(ip),
            _ => return Ok(()),
        };
        if is_public(number) { Ok(()) } else { Err(private(url)) }
    }

    /// A client that connects only where it may: for this one address, because what is allowed depends on host and
    /// port. It follows no redirect and uses no proxy.
    pub(crate) fn client(&self, url: &Url) -> Result<reqwest::Client, CloneError> {
        self.check(url)?;
        reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .dns_resolver(self.resolver(url))
            .user_agent(concat!("caffeinecode/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| CloneError::unreachable(format!("The HTTP client cannot start: {error}")))
    }

    /// The same rules for the client that git's own requests go through. Its redirects are refused by the transport.
    pub(crate) fn configure(
        &self,
        url: &Url,
        builder: reqwest::blocking::ClientBuilder,
    ) -> reqwest::blocking::ClientBuilder {
        builder.no_proxy().connect_timeout(CONNECT_TIMEOUT).timeout(SILENCE_TIMEOUT).dns_resolver(self.resolver(url))
    }

    fn resolver(&self, url: &Url) -> Arc<CheckedResolver> {
        Arc::new(CheckedResolver { any: self.allows(url) })
    }
}

/// The sentence for an address in a private network.
pub(super) fn private(url: &Url) -> CloneError {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or_default();
    CloneError::refused(
        "address_private",
        format!(
            "The host {host} is in a private network, which is not cloned from: use a public address, or ask the \
             operator to add `{host}:{port}` to `allow_hosts` of the cloner"
        ),
    )
}

/// A name leads to an address that may not be reached.
#[derive(Debug, thiserror::Error)]
#[error("the name leads into a private network")]
pub(super) struct PrivateAddress;

/// Resolves a name and refuses it if any of its addresses is private.
struct CheckedResolver {
    /// Allowed by the operator: whatever the addresses are.
    any: bool,
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let any = self.any;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if !any && !found.iter().all(|address| is_public(address.ip())) {
                return Err(PrivateAddress.into());
            }
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}

/// Whether an address belongs to the public internet.
#[must_use]
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        // "This network", shared address space of providers, protocol assignments, 6to4 relays, benchmarks.
        || a == 0
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19))
        // Multicast, reserved, broadcast.
        || a >= 224;
    !special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let segments = ip.segments();
    let [.., high, low] = segments;
    let embedded = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // IPv4 inside: mapped, translated (NAT64), 6to4.
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => embedded(high, low),
        [0x2002, high, low, ..] => embedded(high, low),
        // Teredo, documentation, benchmarks, discard and everything below 2000::/3 are no hosts of the internet.
        [0x2001, 0 | 2 | 0xdb8, ..] | [0x3fff, 0..0x1000, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::{Reach, is_public};
    use crate::source::HostPort;
    use url::Url;

    fn check(addresses: &[&str], expected: bool) {
        for address in addresses {
            assert_eq!(is_public(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn public_and_private() {
        check(&["140.82.121.4", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:50c0:8000::153", "2a00:1450::1"], true);
        check(&["127.0.0.1", "127.255.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254"], false);
        check(
            &["0.0.0.0", "100.64.0.1", "192.0.0.8", "198.18.0.1", "203.0.113.1", "224.0.0.1", "255.255.255.255"],
            false,
        );
        check(&["::", "::1", "fe80::1", "fec0::1", "fc00::1", "fd12::1", "ff02::1", "2001:db8::1", "100::1"], false);
        check(
            &["::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::", "2001::1", "::7f00:1"],
            false,
        );
        check(&["::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::"], true);
    }

    #[test]
    fn numbers_are_checked_before_connecting() {
        let reach = Reach::new(vec![HostPort::parse("127.0.0.1:8080").unwrap()]);
        let check = |url: &str| reach.check(&Url::parse(url).unwrap());
        assert_eq!(check("http://127.0.0.1:8080/x"), Ok(()));
        assert_eq!(check("https://1.1.1.1/x"), Ok(()));
        assert_eq!(check("https://git.example.com/x"), Ok(()));
        // Other spellings of the loopback address are the same number.
        for url in [
            "http://127.0.0.1/x",
            "http://2130706433/x",
            "http://0x7f.1/x",
            "http://[::1]/x",
            "http://[::ffff:7f00:1]/x",
        ] {
            let error = check(url).expect_err(url).to_string();
            assert!(error.contains("allow_hosts"), "{error}");
        }
    }
}
