//! Tests of the cloner against a real git server and a real database.

mod bad_input;
mod fetching;
mod mirrors;
mod planning;
mod service;
mod support;
