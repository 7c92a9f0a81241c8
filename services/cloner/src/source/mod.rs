//! Where a repository comes from: what an address may be, whom it may reach, and what answers there.

mod address;
mod network;
mod preflight;

pub use address::{Address, HostPort};
pub use network::{Reach, is_public};
pub use preflight::{Answer, look};
