//! When to try again: what the provider asks for comes first, then doubling waits.

use std::time::Duration;

use chrono::DateTime;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What the headers of a failed answer say about trying again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct RetryHints {
    /// The provider's own verdict, if it has one.
    pub(super) should_retry: Option<bool>,
    /// How long it asks to wait.
    pub(super) after: Option<Duration>,
}

impl RetryHints {
    pub(super) fn from_headers(headers: &HeaderMap) -> Self {
        let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let should_retry = match value("x-should-retry") {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => None,
        };
        let millis = value("retry-after-ms").and_then(|text| seconds(text, 1_000.0));
        let after = millis.or_else(|| {
            let text = value(RETRY_AFTER.as_str())?;
            seconds(text, 1.0).or_else(|| until(text, value(DATE.as_str())?))
        });
        Self { should_retry, after }
    }
}

/// A number of seconds, or of parts of a second; fractions are allowed.
fn seconds(text: &str, parts: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(text.trim().parse::<f64>().ok()? / parts).ok()
}

/// The time from one HTTP date to another. The provider's own clock is the only one that fits its
/// dates.
fn until(text: &str, now: &str) -> Option<Duration> {
    let then = DateTime::parse_from_rfc2822(text).ok()?;
    let now = DateTime::parse_from_rfc2822(now).ok()?;
    Some((then - now).to_std().unwrap_or(Duration::ZERO))
}

/// How long to wait after the given try, the first being 1. What the provider asks for is obeyed
/// as it stands; our own waits double up to a minute and are shortened by up to a quarter.
pub(super) fn wait(attempt: u32, asked: Option<Duration>, chance: f64) -> Duration {
    if let Some(asked) = asked {
        return asked;
    }
    let doublings = attempt.saturating_sub(1).min(16);
    let full = (FIRST_WAIT * (1 << doublings)).min(LONGEST_WAIT);
    full.mul_f64(1.0 - 0.25 * chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    type Headers = &'static [(&'static str, &'static str)];

    fn hints(headers: Headers) -> RetryHints {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        RetryHints::from_headers(&headers)
    }

    #[test]
    fn headers_are_read_in_order_of_precision() {
        const NOW: (&str, &str) = ("date", "Sun, 22 Nov 2026 15:00:00 GMT");
        let cases: &[(Headers, Option<u64>)] = &[
            (&[], None),
            (&[("retry-after", "7")], Some(7_000)),
            (&[("retry-after", "0.5")], Some(500)),
            (&[("retry-after-ms", "250"), ("retry-after", "7")], Some(250)),
            (&[("retry-after", "Sun, 22 Nov 2026 15:00:30 GMT"), NOW], Some(30_000)),
            (&[("retry-after", "Sun, 22 Nov 2026 14:00:00 GMT"), NOW], Some(0)),
            (&[("retry-after", "Sun, 22 Nov 2026 15:00:30 GMT")], None),
            (&[("retry-after", "-1")], None),
            (&[("retry-after", "NaN")], None),
            (&[("retry-after", "1e300")], None),
            (&[("retry-after", "soon"), NOW], None),
        ];
        for (headers, millis) in cases {
            let expected = millis.map(Duration::from_millis);
            assert_eq!(hints(headers).after, expected, "{headers:?}");
        }
        assert_eq!(hints(&[("x-should-retry", "false")]).should_retry, Some(false));
        assert_eq!(hints(&[("x-should-retry", "true")]).should_retry, Some(true));
        assert_eq!(hints(&[("x-should-retry", "perhaps")]).should_retry, None);
    }

    #[test]
    fn waits_double_up_to_a_minute() {
        let cases = [(0, 500), (1, 500), (2, 1_000), (3, 2_000), (8, 60_000), (u32::MAX, 60_000)];
        for (attempt, millis) in cases {
            assert_eq!(wait(attempt, None, 0.0), Duration::from_millis(millis), "try {attempt}");
            assert_eq!(wait(attempt, None, 1.0), Duration::from_millis(millis * 3 / 4));
        }
        assert_eq!(wait(5, Some(Duration::from_secs(90)), 1.0), Duration::from_secs(90));
    }
}
