//! How many requests somebody may send in a minute, by the kind of request. Each replica counts for itself.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use caffeine_model::UserId;
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::api::access::Class;

/// Whoever has been quiet for a minute is forgotten, each time so many requests were counted.
const FORGET_EVERY: u32 = 4_096;

/// Whom a request counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Counted {
    /// Somebody who is signed in, however many tokens that is.
    User(UserId),
    /// An address; of IPv6 a net, because a client has many addresses in one.
    Address(IpAddr),
}

impl Counted {
    pub(crate) fn address(address: IpAddr) -> Self {
        Self::Address(match address {
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

/// Requests per minute; 0 is without limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rates {
    pub(crate) read: u32,
    pub(crate) write: u32,
    pub(crate) search: u32,
    pub(crate) sign_in: u32,
}

/// What is left after a request was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Left {
    /// Name of the limit.
    pub(crate) name: &'static str,
    /// Requests per minute.
    pub(crate) limit: u32,
    /// How many may follow at once.
    pub(crate) remaining: u32,
    /// Whole seconds until one more may be sent; 0 if it may now.
    pub(crate) wait_seconds: u64,
}

impl Left {
    /// Whether the request itself was within the limit.
    pub(crate) fn is_within(&self) -> bool {
        self.wait_seconds == 0
    }

    /// Value of `RateLimit-Policy`.
    pub(crate) fn policy(&self) -> String {
        format!("\"{}\";q={};w=60", self.name, self.limit)
    }

    /// Value of `RateLimit`: what is left, and when everything is there again.
    pub(crate) fn state(&self) -> String {
        let used = u64::from(self.limit - self.remaining.min(self.limit));
        let until_full = (used * 60).div_ceil(u64::from(self.limit.max(1)));
        format!("\"{}\";r={};t={}", self.name, self.remaining, until_full.max(self.wait_seconds))
    }
}

struct Limit {
    name: &'static str,
    per_minute: u32,
    counts: DefaultKeyedRateLimiter<Counted, StateInformationMiddleware>,
}

impl Limit {
    fn new(name: &'static str, per_minute: u32) -> Option<Self> {
        let quota = Quota::per_minute(NonZeroU32::new(per_minute)?);
        let counts = RateLimiter::keyed(quota).with_middleware::<StateInformationMiddleware>();
        Some(Self { name, per_minute, counts })
    }
}

/// Counts requests.
pub(crate) struct Limits {
    read: Option<Limit>,
    write: Option<Limit>,
    search: Option<Limit>,
    sign_in: Option<Limit>,
    counted: AtomicU32,
}

impl Limits {
    pub(crate) fn new(rates: Rates) -> Self {
        Self {
            read: Limit::new("read", rates.read),
            write: Limit::new("write", rates.write),
            search: Limit::new("search", rates.search),
            sign_in: Limit::new("sign-in", rates.sign_in),
            counted: AtomicU32::new(0),
        }
    }

    /// Counts a request; `None` if its kind has no limit.
    pub(crate) fn count(&self, class: Class, who: Counted) -> Option<Left> {
        let limit = match class {
            Class::Free => None,
            Class::Read => self.read.as_ref(),
            Class::Write => self.write.as_ref(),
            Class::Search => self.search.as_ref(),
            Class::SignIn => self.sign_in.as_ref(),
        }?;
        if self.counted.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            for limit in [&self.read, &self.write, &self.search, &self.sign_in].into_iter().flatten() {
                limit.counts.retain_recent();
            }
        }
        let (remaining, wait) = match limit.counts.check_key(&who) {
            Ok(state) => (state.remaining_burst_capacity(), Duration::ZERO),
            Err(until) => (0, until.wait_time_from(DefaultClock::default().now()).max(Duration::from_millis(1))),
        };
        let wait_seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Some(Left { name: limit.name, limit: limit.per_minute, remaining, wait_seconds })
    }
}

#[cfg(test)]
mod tests {
    use super::{Counted, Limits, Rates};
    use crate::api::access::Class;

    #[test]
    fn each_is_counted_alone() {
        let limits = Limits::new(Rates { read: 3, write: 1, search: 0, sign_in: 1 });
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|text| Counted::address(text.parse().unwrap()));
        let left: Vec<u32> = (0..3).map(|_| limits.count(Class::Read, one).unwrap().remaining).collect();
        assert_eq!(left, [2, 1, 0]);
        let refused = limits.count(Class::Read, one).unwrap();
        assert!(!refused.is_within() && refused.wait_seconds <= 20, "{refused:?}");
        assert_eq!(refused.policy(), "\"read\";q=3;w=60");
        assert_eq!(refused.state(), "\"read\";r=0;t=60");
        assert!(limits.count(Class::Read, other).unwrap().is_within());
        assert!(limits.count(Class::Write, one).unwrap().is_within(), "another kind");
        assert_eq!(limits.count(Class::Search, one), None, "without limit");
        assert_eq!(limits.count(Class::Free, one), None);
    }

    #[test]
    fn a_net_of_addresses_is_one_client() {
        let key = |text: &str| Counted::address(text.parse().unwrap());
        assert_eq!(key("2001:db8:1:2::3"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::3"), key("2001:db8:1:3::3"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
    }
}
