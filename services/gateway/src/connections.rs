//! Connections of clients: taken, and given up when a client takes nothing any more.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use poem::http::uri::Scheme;
use poem::listener::Acceptor;
use poem::web::{LocalAddr, RemoteAddr};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Sleep;

/// How long nothing is taken after it could not be: the process has too many files open, most likely.
const PAUSE: Duration = Duration::from_millis(100);

/// Takes connections.
pub(crate) struct Connections {
    listener: TcpListener,
    address: LocalAddr,
    patience: Duration,
}

impl Connections {
    /// A client that takes nothing for as long as `patience` while there is something for it is given up.
    ///
    /// # Errors
    /// If the listener has no address.
    pub(crate) fn new(listener: TcpListener, patience: Duration) -> io::Result<Self> {
        let address = LocalAddr(listener.local_addr()?.into());
        Ok(Self { listener, address, patience })
    }
}

impl Acceptor for Connections {
    type Io = Connection;

    fn local_addr(&self) -> Vec<LocalAddr> {
        vec![self.address.clone()]
    }

    async fn accept(&mut self) -> io::Result<(Self::Io, LocalAddr, RemoteAddr, Scheme)> {
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) => {
                    let connection = Connection { stream, patience: self.patience, stalled: None };
                    return Ok((connection, self.address.clone(), RemoteAddr(address.into()), Scheme::HTTP));
                }
                // Whoever calls asks again at once, and the next one would fail at once, too.
                Err(error) => {
                    tracing::error!(error = %error, "connection cannot be taken");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

/// A client's connection.
///
/// What waits to be sent lies in memory here and with the system. A client that has stopped to read would keep it for as
/// long as it likes, and its stream with it.
pub(crate) struct Connection {
    stream: TcpStream,
    patience: Duration,
    /// Runs from when nothing more could be sent.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Connection {
    fn judge(&mut self, context: &mut Context<'_>, sent: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if sent.is_ready() {
            self.stalled = None;
            return sent;
        }
        let patience = self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(stalled.as_mut().poll(context));
        tracing::info!(seconds = patience.as_secs(), "a client that takes nothing is given up");
        // The system is not to keep for minutes what nobody reads.
        let _ = self.stream.set_zero_linger();
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(context, sent)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.judge(context, sent)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use poem::listener::Acceptor as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::{Connection, Connections};

    const PATIENCE: Duration = Duration::from_millis(200);
    /// More than the system keeps between two sockets.
    const MUCH: usize = 64 << 20;

    async fn pair() -> (Connection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut connections = Connections::new(listener, PATIENCE).unwrap();
        let (taken, client) = tokio::join!(connections.accept(), TcpStream::connect(address));
        (taken.unwrap().0, client.unwrap())
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_given_up() {
        let (mut connection, client) = pair().await;
        let error = connection.write_all(&vec![0; MUCH]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(client);
    }

    #[tokio::test]
    async fn one_that_takes_little_by_little_gets_everything() {
        let (mut connection, mut client) = pair().await;
        let sending = tokio::spawn(async move { connection.write_all(&vec![0; MUCH]).await });
        let (mut taken, mut some) = (0, vec![0; MUCH / 8]);
        while taken < MUCH {
            // Longer than the patience in all, and never as long at once.
            tokio::time::sleep(PATIENCE / 4).await;
            taken += client.read_exact(&mut some).await.unwrap();
        }
        sending.await.unwrap().unwrap();
    }
}
