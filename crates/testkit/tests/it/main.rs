//! The testkit against the servers that `make test` starts.

mod bus;
mod database;
mod git;
mod waiting;
