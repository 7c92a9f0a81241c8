//! A link that can be cut, slowed, held and made deaf: a TCP proxy between the services and a server.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// What one read takes at most.
const PIECE: usize = 64 * 1024;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Link {
    /// How long every byte is on its way.
    latency: Duration,
    /// Bytes wait until this ends.
    held: bool,
    /// New connections are reset at once.
    refuses: bool,
    /// Raised to reset every connection there is.
    cuts: u64,
    /// Raised to let nothing more come back on the connections there are.
    deafened: u64,
}

/// A proxy in front of one server. It ends when dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    link: watch::Sender<Link>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (link, seen) = watch::channel(Link::default());
        let accepting = tokio::spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else { continue };
                tokio::spawn(connection(client, server, seen.clone()));
            }
        });
        Self { address, link, accepting }
    }

    /// Where the services connect.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Resets every connection.
    pub(crate) fn cut(&self) {
        self.link.send_modify(|link| link.cuts += 1);
    }

    /// Resets every connection and all that come, or stops doing so.
    pub(crate) fn refuse(&self, refuses: bool) {
        self.link.send_modify(|link| {
            link.refuses = refuses;
            link.cuts += u64::from(refuses);
        });
    }

    /// Swallows everything both ways without a word, on connections that come too, or lets it go on.
    pub(crate) fn hold(&self, held: bool) {
        self.link.send_modify(|link| link.held = held);
    }

    /// What the server says on the connections there are does not arrive any more. New ones are sound.
    pub(crate) fn deafen(&self) {
        self.link.send_modify(|link| link.deafened += 1);
    }

    /// Lets every byte take this long, each way.
    pub(crate) fn slow(&self, latency: Duration) {
        self.link.send_modify(|link| link.latency = latency);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn connection(mut client: TcpStream, server: SocketAddr, link: watch::Receiver<Link>) {
    let began = *link.borrow();
    if began.refuses {
        let _ = client.set_zero_linger();
        return;
    }
    let Ok(mut upstream) = TcpStream::connect(server).await else { return };
    let _ = (client.set_nodelay(true), upstream.set_nodelay(true));
    let mut changes = link.clone();
    {
        let (client_in, client_out) = client.split();
        let (server_in, server_out) = upstream.split();
        let there = pump(client_in, server_out, link.clone(), None);
        let back = pump(server_in, client_out, link, Some(began.deafened));
        tokio::select! {
            () = there => {}
            () = back => {}
            // The sender is gone with the proxy.
            _ = changes.wait_for(|now| now.cuts != began.cuts) => {
            }
        }
    }
    if changes.borrow().cuts != began.cuts {
        let _ = (client.set_zero_linger(), upstream.set_zero_linger());
    }
}

/// Moves bytes one way until either side ends. `deaf_after` makes this the way that can be made deaf.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut link: watch::Receiver<Link>,
    deaf_after: Option<u64>,
) {
    let (queue, mut queued) = mpsc::channel::<(Instant, Vec<u8>)>(256);
    let seen = link.clone();
    let reading = async move {
        let mut buffer = vec![0; PIECE];
        loop {
            let read = from.read(&mut buffer).await.unwrap_or(0);
            let due = Instant::now() + seen.borrow().latency;
            if read == 0 || queue.send((due, buffer[..read].to_vec())).await.is_err() {
                return;
            }
        }
    };
    let writing = async move {
        while let Some((due, bytes)) = queued.recv().await {
            tokio::time::sleep_until(due).await;
            if link.wait_for(|now| !now.held).await.is_err() {
                return;
            }
            if deaf_after.is_some_and(|before| link.borrow().deafened != before) {
                continue;
            }
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    // What was read is written even if its sender is gone meanwhile.
    tokio::join!(reading, writing);
}
