//! Whom the cloner may talk to: addresses are checked when a connection is made and stay what they were for the whole
//! job, so a name cannot point to one place when it is checked and to another when it is used.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use caffeine_model::SshAddress;
use reqwest::blocking::ClientBuilder;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use super::names::{Names, SystemNames};
use super::{Credential, HostPort};
use crate::CloneError;

/// A host that does not take the connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// A host that does not answer the first question.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// A host that stops talking, while it collects a pack or while it sends one.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(60);

/// Which hosts may be reached: public ones, and those the operator allows.
#[derive(Clone)]
pub struct Reach {
    allowed: Arc<[HostPort]>,
    names: Arc<dyn Names>,
}

/// The way of one job to its host: what a name led to once, and what the host asks for.
#[derive(Clone)]
pub struct Route {
    reach: Reach,
    credential: Option<Arc<Credential>>,
    /// The job's whole time: nothing is waited for longer.
    patience: Duration,
    pins: Arc<Mutex<HashMap<String, Vec<IpAddr>>>>,
}

impl Default for Reach {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl fmt::Debug for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reach").field("allowed", &self.allowed).finish_non_exhaustive()
    }
}

impl Reach {
    /// Public addresses, and these hosts wherever they are.
    #[must_use]
    pub fn new(allowed: Vec<HostPort>) -> Self {
        Self { allowed: allowed.into(), names: Arc::new(SystemNames) }
    }

    /// The same with another resolver.
    #[must_use]
    pub fn with_names(self, names: Arc<dyn Names>) -> Self {
        Self { names, ..self }
    }

    /// The way of one job.
    pub(crate) fn route(&self, credential: Option<Arc<Credential>>, patience: Duration) -> Route {
        // A time-out of nothing would say that the host does not answer, whatever it does.
        Route { reach: self.clone(), credential, patience: patience.max(Duration::from_secs(1)), pins: Arc::default() }
    }

    /// Whether the operator allows this host by name.
    fn allows(&self, host_port: &str) -> bool {
        self.allowed.iter().any(|host| host.is(host_port))
    }

    /// Refuses an address whose host is a number in a private network. Names are checked when they are resolved.
    ///
    /// # Errors
    /// A sentence that says what to do.
    pub fn check(&self, url: &Url) -> Result<(), CloneError> {
        let host_port = HostPort::of(url);
        if self.allows(&host_port) {
            return Ok(());
        }
        let number = match url.host() {
            Some(Host::Ipv4(ip)) => IpAddr::V4(ip),
            Some(Host::Ipv6(ip)) => IpAddr::V6(ip),
            _ => return Ok(()),
        };
        if self.names.is_public(number) { Ok(()) } else { Err(private(&host_port)) }
    }
}

impl Route {
    /// Who the cloner is to the hosts of this route.
    pub(crate) fn credential(&self) -> Option<&Credential> {
        self.credential.as_deref()
    }

    pub(crate) fn check(&self, url: &Url) -> Result<(), CloneError> {
        self.reach.check(url)
    }

    /// A client that connects only where it may: for this one address, because what is allowed depends on host and
    /// port. It follows no redirect and uses no proxy.
    pub(crate) fn client(&self, url: &Url) -> Result<reqwest::Client, CloneError> {
        self.reach.check(url)?;
        reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT.min(self.patience))
            .timeout(ANSWER_TIMEOUT.min(self.patience))
            .dns_resolver(self.resolver(url))
            .tls_certs_merge(self.authorities(url)?)
            .user_agent(concat!("caffeinecode/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| CloneError::unreachable(format!("The HTTP client cannot start: {error}")))
    }

    /// The same rules for the client that git's own requests go through. Its redirects are refused by the transport.
    ///
    /// # Errors
    /// If the private authority cannot be read.
    pub(crate) fn configure(
        &self,
        url: &Url,
    ) -> Result<impl Fn(ClientBuilder) -> ClientBuilder + Send + Sync + use<>, CloneError> {
        let (authorities, resolver, patience) = (self.authorities(url)?, self.resolver(url), self.patience);
        Ok(move |builder: ClientBuilder| {
            builder
                .no_proxy()
                .connect_timeout(CONNECT_TIMEOUT.min(patience))
                .timeout(SILENCE_TIMEOUT.min(patience))
                .dns_resolver(Arc::clone(&resolver))
                .tls_certs_merge(authorities.clone())
        })
    }

    /// The one checked address that ssh connects to.
    ///
    /// # Errors
    /// A sentence that says what to do.
    pub(crate) async fn ssh_address(&self, address: &SshAddress) -> Result<IpAddr, CloneError> {
        let host_port = address.host_port();
        let any = self.reach.allows(&host_port);
        if let Ok(number) = address.host().parse::<IpAddr>() {
            return if any || self.reach.names.is_public(number) { Ok(number) } else { Err(private(&host_port)) };
        }
        let found = tokio::time::timeout(ANSWER_TIMEOUT.min(self.patience), self.resolve(address.host(), any)).await;
        let what = match found {
            Ok(Ok(found)) => match found.first() {
                Some(ip) => return Ok(*ip),
                None => "its name has no address".to_owned(),
            },
            Ok(Err(ResolveError::Private(_))) => return Err(private(&host_port)),
            Ok(Err(ResolveError::Failed(error))) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        Err(CloneError::unreachable(format!(
            "The host {} cannot be reached ({what}): check the address, or try again when the host is up",
            address.host()
        )))
    }

    fn authorities(&self, url: &Url) -> Result<Vec<reqwest::Certificate>, CloneError> {
        let Some(pem) = self.credential().and_then(|credential| credential.authority(url)) else {
            return Ok(Vec::new());
        };
        reqwest::Certificate::from_pem_bundle(pem.as_bytes()).map_err(|_| {
            CloneError::refused(
                "credential_damaged",
                "The certificates of the credential's private authority cannot be read: replace the credential",
            )
        })
    }

    fn resolver(&self, url: &Url) -> Arc<CheckedResolver> {
        Arc::new(CheckedResolver { route: self.clone(), any: self.reach.allows(&HostPort::of(url)) })
    }

    /// The addresses of a name, all of them checked unless `any` will do. The first answer counts for the whole job.
    async fn resolve(&self, name: &str, any: bool) -> Result<Vec<IpAddr>, ResolveError> {
        let pinned = self.pins.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let found = match pinned {
            Some(found) => found,
            None => self.reach.names.lookup(name).await?,
        };
        // Of two that ask at once, the first answer stays.
        let mut pins = self.pins.lock().unwrap_or_else(PoisonError::into_inner);
        let found = pins.entry(name.to_owned()).or_insert(found).clone();
        if !any && !found.iter().all(|ip| self.reach.names.is_public(*ip)) {
            return Err(PrivateAddress.into());
        }
        Ok(found)
    }
}

/// The sentence for an address in a private network.
pub(super) fn private(host_port: &str) -> CloneError {
    let host = host_port.rsplit_once(':').map_or(host_port, |(host, _)| host);
    CloneError::refused(
        "address_private",
        format!(
            "The host {host} is in a private network, which is not cloned from: use a public address, or ask the \
             operator to add `{host_port}` to `allow_hosts` of the cloner"
        ),
    )
}

/// A name leads to an address that may not be reached.
#[derive(Debug, thiserror::Error)]
#[error("the name leads into a private network")]
pub(super) struct PrivateAddress;

#[derive(Debug, thiserror::Error)]
enum ResolveError {
    #[error(transparent)]
    Private(#[from] PrivateAddress),
    #[error("resolve the name")]
    Failed(#[from] std::io::Error),
}

/// Resolves a name and refuses it if any of its addresses is private.
struct CheckedResolver {
    route: Route,
    /// Allowed by the operator: whatever the addresses are.
    any: bool,
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (route, any) = (self.route.clone(), self.any);
        Box::pin(async move {
            let found = route.resolve(name.as_str(), any).await.map_err(|error| match error {
                ResolveError::Private(private) => Box::<dyn std::error::Error + Send + Sync>::from(private),
                ResolveError::Failed(error) => error.into(),
            })?;
            let addresses: Addrs = Box::new(found.into_iter().map(|ip| SocketAddr::new(ip, 0)));
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
