//! Tells those who wait for an answer that it will not come: the connection it was asked on is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

/// The side that sees the connection's events.
#[derive(Clone)]
pub(crate) struct Announcer {
    sender: Arc<watch::Sender<u64>>,
    down: Arc<AtomicBool>,
}

/// The side that waits. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Reconnects(watch::Receiver<u64>);

pub(crate) fn reconnects() -> (Announcer, Reconnects) {
    let (sender, receiver) = watch::channel(0);
    (Announcer { sender: Arc::new(sender), down: Arc::default() }, Reconnects(receiver))
}

impl Announcer {
    pub(crate) fn disconnected(&self) {
        self.down.store(true, Ordering::SeqCst);
    }

    /// The first connection is none after a loss, so it disturbs nobody.
    pub(crate) fn connected(&self) {
        if self.down.swap(false, Ordering::SeqCst) {
            self.sender.send_modify(|count| *count += 1);
        }
    }
}

impl Reconnects {
    /// Ends when the connection has been lost and made again after this call.
    pub(crate) fn next(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let mut receiver = self.0.clone();
        receiver.mark_unchanged();
        async move {
            if receiver.changed().await.is_err() {
                // The client is closed, so there is no next connection.
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::reconnects;

    #[tokio::test]
    async fn only_a_connection_after_a_loss_counts() {
        let (announcer, reconnects) = reconnects();
        announcer.connected();
        let mut waiting = Box::pin(reconnects.next());
        assert!((&mut waiting).now_or_never().is_none());
        announcer.disconnected();
        assert!((&mut waiting).now_or_never().is_none());
        announcer.connected();
        assert!(waiting.now_or_never().is_some());
        assert!(reconnects.next().now_or_never().is_none(), "what is past disturbs nobody");
    }
}
