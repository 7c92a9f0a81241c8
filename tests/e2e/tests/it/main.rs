//! The whole system: five processes, real servers, real git over HTTP.

mod bad_input;
mod bombs;
mod cancel;
mod chaos;
mod delete;
#[path = "../faults/mod.rs"]
mod faults;
mod fixture;
mod identities;
mod incremental;
mod kills;
mod messages_api;
mod odd;
mod secrets;
mod undisturbed;
mod unwelcome;
