//! One handler for each message the cloner reads.

mod clone;
mod probe;

pub(crate) use clone::CloneHandler;
pub(crate) use probe::ProbeHandler;
