//! The contract's promises that live in files: golden bytes and the generated page.

mod golden;
mod permissions;
mod pipeline_doc;
