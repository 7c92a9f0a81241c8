//! The fault matrix: injectors, the oracle, and the rows. `make chaos` runs all of it, `make test` a few seeds.
//!
//! One more row: a function in `rows/` that submits, disturbs and returns what the oracle says, and a line in
//! [`rows::ROWS`].

mod matrix;
pub(crate) mod model;
mod oracle;
mod proxy;
mod report;
mod rng;
pub(crate) mod rows;
mod servers;
mod site;
mod watch;
mod world;

pub(crate) use matrix::Matrix;
