//! The doc-writer against a real database.
#![expect(clippy::unwrap_used, reason = "helpers of a test fail the test")]

mod fixture;
mod model;
mod pages;
mod planner;
mod template;
