//! Connections of clients: taken, and given up when a client has gone, takes nothing, or says nothing.

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
use tokio::time::{Instant, Sleep};

/// How long nothing is taken after it could not be: the process has too many files open, most likely.
const PAUSE: Duration = Duration::from_millis(100);

/// How long nothing may go either way. Longer than any answer takes to begin; a stream says something every few seconds.
const SILENCE: Duration = Duration::from_secs(120);

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
                    let connection = Connection::new(stream, self.patience, SILENCE);
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
/// long as it likes, and its stream with it; one that says nothing would keep the connection. And poem asks a connection
/// whose client has gone once more how it is: it must say so again, or a stream is kept until it is written to.
pub(crate) struct Connection {
    stream: TcpStream,
    patience: Duration,
    /// Runs from when nothing more could be sent.
    stalled: Option<Pin<Box<Sleep>>>,
    silence: Duration,
    /// Runs from the last byte either way.
    silent: Pin<Box<Sleep>>,
    /// The client has gone or was given up.
    over: bool,
}

impl Connection {
    fn new(stream: TcpStream, patience: Duration, silence: Duration) -> Self {
        let silent = Box::pin(tokio::time::sleep(silence));
        Self { stream, patience, stalled: None, silence, silent, over: false }
    }

    fn judge(&mut self, context: &mut Context<'_>, sent: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if sent.is_ready() {
            self.stalled = None;
            self.heard();
            return sent;
        }
        let patience = self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(stalled.as_mut().poll(context));
        tracing::info!(seconds = patience.as_secs(), "a client that takes nothing is given up");
        // The system is not to keep for minutes what nobody reads.
        let _ = self.stream.set_zero_linger();
        self.over = true;
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn heard(&mut self) {
        self.silent.as_mut().reset(Instant::now() + self.silence);
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let room = into.remaining();
        match Pin::new(&mut self.stream).poll_read(context, into) {
            Poll::Ready(read) => {
                self.over |= read.is_err() || room > 0 && into.remaining() == room;
                self.heard();
                Poll::Ready(read)
            }
            Poll::Pending => {
                ready!(self.silent.as_mut().poll(context));
                self.over = true;
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.over {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let sent = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(context, sent)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.over {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
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
        if self.over {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
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

    const PATIENCE: Duration = Duration::from_secs(1);
    const LONG: Duration = Duration::from_secs(60);
    /// More than the system keeps between two sockets.
    const MUCH: usize = 64 << 20;

    async fn pair(patience: Duration, silence: Duration) -> (Connection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut connections = Connections::new(listener, patience).unwrap();
        let (taken, client) = tokio::join!(connections.accept(), TcpStream::connect(address));
        let connection = Connection::new(taken.unwrap().0.stream, patience, silence);
        (connection, client.unwrap())
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_given_up() {
        let (mut connection, client) = pair(PATIENCE / 5, LONG).await;
        let error = connection.write_all(&vec![0; MUCH]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(client);
    }

    #[tokio::test]
    async fn one_that_takes_little_by_little_gets_everything() {
        let (mut connection, mut client) = pair(PATIENCE, LONG).await;
        let sending = tokio::spawn(async move { connection.write_all(&vec![0; MUCH]).await });
        let (mut taken, mut some) = (0, vec![0; MUCH / 16]);
        while taken < MUCH {
            // Longer than the patience in all, and never nearly as long at once.
            tokio::time::sleep(PATIENCE / 10).await;
            taken += client.read_exact(&mut some).await.unwrap();
        }
        sending.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn one_that_says_nothing_is_given_up_and_one_that_says_something_is_not() {
        let (mut connection, mut client) = pair(LONG, PATIENCE * 3).await;
        for _ in 0..5 {
            tokio::time::sleep(PATIENCE * 7 / 10).await;
            client.write_all(b"x").await.unwrap();
            assert_eq!(connection.read_u8().await.unwrap(), b'x');
        }
        let error = connection.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(connection.flush().await.is_err(), "and stays so");
    }

    #[tokio::test]
    async fn one_that_has_gone_is_gone_whenever_it_is_asked() {
        let (mut connection, client) = pair(LONG, LONG).await;
        drop(client);
        assert_eq!(connection.read(&mut [0]).await.unwrap(), 0);
        assert!(connection.flush().await.is_err());
        assert!(connection.write_all(b"x").await.is_err());
    }
}
