//! Ports for programs that have to be told one before they start.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::path::Path;

use crate::ServerError;

/// Below those that the system gives to outgoing connections and to whoever asks for any: otherwise one of the programs
/// that start at the same time gets the port before the one that it is for.
const PORTS: Range<u16> = 15_000..32_000;
const ATTEMPTS: usize = 100;

/// A port of loopback on which nobody listens right now; another process can still be faster.
///
/// # Errors
/// If none of a hundred can be bound.
pub fn free_port() -> Result<u16, ServerError> {
    try_ports().map_err(ServerError::io("find a free port on", Path::new("127.0.0.1")))
}

fn try_ports() -> io::Result<u16> {
    let mut outcome = Err(io::ErrorKind::AddrInUse.into());
    for _ in 0..ATTEMPTS {
        let mut random = [0; 2];
        getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
        let port = PORTS.start + u16::from_le_bytes(random) % (PORTS.end - PORTS.start);
        outcome = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map(|_| port);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::{PORTS, free_port};

    #[test]
    fn it_can_be_bound_and_is_none_that_the_system_hands_out() {
        let port = free_port().unwrap();
        assert!(PORTS.contains(&port));
        TcpListener::bind(("127.0.0.1", port)).unwrap();
    }
}
