//! Waiting and chance, passed in so that tests decide both.

use std::time::Duration;

use futures::future::BoxFuture;

/// How a client waits between two tries.
pub trait Pace: Send + Sync {
    /// Waits.
    fn sleep(&self, wait: Duration) -> BoxFuture<'static, ()>;

    /// A number from 0 up to 1 that spreads clients which failed at the same moment.
    fn chance(&self) -> f64;
}

/// Real time and real chance.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokioPace;

impl Pace for TokioPace {
    fn sleep(&self, wait: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(wait))
    }

    fn chance(&self) -> f64 {
        // Without a source of randomness the longest wait is as good as any.
        getrandom::u32().map_or(1.0, |n| f64::from(n) / (f64::from(u32::MAX) + 1.0))
    }
}
