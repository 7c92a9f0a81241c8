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
/// More than is sent at once, and no end: the connection is as good as any.
const STEP: usize = 64 * 1024;

/// A stream that nobody reads.
pub(crate) struct Silent {
    stream: TcpStream,
}

impl Silent {
    /// Opens a stream; comes again until the gateway answers.
    pub(crate) async fn open(api: &Api, run: Uuid) -> Self {
        let opening = async {
            loop {
                if let Ok(stream) = ask(api, run).await {
                    return Self { stream };
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        tokio::time::timeout(PATIENCE, opening).await.expect("the gateway opens a stream")
    }

    /// Reads what the system has kept for this client. `true` if the gateway has hung up.
    pub(crate) async fn was_cut_off(mut self) -> bool {
        let mut rest = vec![0; STEP];
        loop {
            match tokio::time::timeout(Duration::from_secs(2), self.stream.read(&mut rest)).await {
                Ok(Ok(0) | Err(_)) => return true,
                Ok(Ok(_)) => {}
                Err(_elapsed) => return false,
            }
        }
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
