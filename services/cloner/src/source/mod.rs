//! Where a repository comes from: what an address may be, whom it may reach, and what answers there.

mod address;
mod credential;
mod location;
mod names;
mod network;
mod preflight;

pub use address::{Address, HostPort};
pub use credential::Credential;
pub(crate) use credential::DeployKey;
pub use location::Location;
pub use names::{Names, SystemNames};
pub use network::{Reach, Route, is_public};
pub(crate) use preflight::not_accepted;
pub use preflight::{Answer, look};
