//! The whole crate from outside: what is found in samples of each language, what holds for any bytes, and what links.

mod hostile;
mod languages;
mod linking;
mod sizes;
