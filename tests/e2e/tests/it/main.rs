//! The whole system: five processes, real servers, real git over HTTP.

mod fixture;
mod incremental;
mod kills;
mod messages_api;
mod undisturbed;
mod unwelcome;
