//! The gateway against a real PostgreSQL and a real NATS, through HTTP.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod admin;
mod audit;
mod auth;
mod bootstrap;
mod conditional;
mod credentials;
mod described;
mod diagrams;
mod documents;
mod endings;
mod fixture;
mod limits;
mod lists;
mod matrix;
mod oidc;
mod oidc_mock;
mod once;
mod openapi;
mod previews;
mod problems;
mod projector;
mod prompts;
mod relay;
mod repositories;
mod run_work;
mod search;
mod sessions;
mod stream;
mod tokens;
mod tree;
mod users;
mod web;
mod webhooks;
