//! The whole system: five processes, real servers, real git over HTTP.

mod fixture;
mod incremental;
mod kills;
mod undisturbed;
mod unwelcome;
