//! A client that opens a stream and never reads it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use caffeine_e2e::Api;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use uuid::Uuid;

/// The least that the system grants: what is sent piles up with the sender.
const RECEIVE_BUFFER: u32 = 2_048;
/// How long an answer may take to begin.
const PATIENCE: Duration = Duration::from_secs(60);

/// A stream that nobody reads.
pub(crate) struct Silent {
    stream: TcpStream,
    is_cut_off: bool,
}

impl Silent {
    /// Opens a stream; comes again until the gateway answers.
    pub(crate) async fn open(api: &Api, run: Uuid) -> Self {
        let opening = async {
            loop {
                if let Ok(stream) = ask(api, run).await {
                    return Self { stream, is_cut_off: false };
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        tokio::time::timeout(PATIENCE, opening).await.expect("the gateway opens a stream")
    }

    /// Whether the gateway has hung up, by a reset: nothing is read to find out.
    pub(crate) fn is_cut_off(&mut self) -> bool {
        // The system names an error once.
        self.is_cut_off |= self.stream.take_error().is_ok_and(|error| error.is_some());
        self.is_cut_off
    }
}

async fn ask(api: &Api, run: Uuid) -> io::Result<TcpStream> {
    let host = api.base().trim_start_matches("http://");
    let address: SocketAddr = host.parse().map_err(io::Error::other)?;
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    let mut stream = socket.connect(address).await?;
    let request = format!(
        "GET /api/v1/runs/{run}/events HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\n\r\n",
        api.token()
    );
    stream.write_all(request.as_bytes()).await?;
    let expected = b"HTTP/1.1 200 OK\r\n";
    let mut head = vec![0; expected.len()];
    stream.read_exact(&mut head).await?;
    if head == expected { Ok(stream) } else { Err(io::Error::other(String::from_utf8_lossy(&head).into_owned())) }
}
