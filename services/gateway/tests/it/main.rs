//! The gateway against a real PostgreSQL and a real NATS, through HTTP.

mod auth;
mod bootstrap;
mod documents;
mod fixture;
mod openapi;
mod problems;
mod projector;
mod prompts;
mod relay;
mod repositories;
mod search;
mod stream;
