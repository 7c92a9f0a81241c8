//! The client of the Messages API against a scripted server on loopback.

mod calls;
mod faults;
mod server;
mod streams;
