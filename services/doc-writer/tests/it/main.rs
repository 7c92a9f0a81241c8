//! The doc-writer against a real database.

mod fixture;
mod model;
mod pages;
mod planner;
mod template;
