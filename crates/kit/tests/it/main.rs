//! The chassis with a real broker and a real database.

#![expect(clippy::unwrap_used, reason = "fixtures panic like tests do; clippy only knows functions marked as tests")]

mod inbox;
mod start;

use caffeine_kit::{Configuration, Settings};
use caffeine_testkit::{TestBus, TestDatabase};

/// Settings as an operator would give them, in the environment.
fn settings(bus: &TestBus, database: &TestDatabase) -> Settings {
    let environment = [
        ("CAFFEINE_NATS_URL", bus.url()),
        ("CAFFEINE_NATS_PREFIX", bus.prefix()),
        ("CAFFEINE_DATABASE_URL", database.url()),
        ("CAFFEINE_DATABASE_CONNECTIONS", "2"),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Configuration::load(None, environment).unwrap().settings().unwrap()
}
