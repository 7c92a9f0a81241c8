//! The embedder's handlers against a real database.

mod batch;
mod fan_in;
mod fixture;
mod hostile;
