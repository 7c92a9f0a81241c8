//! The doc-writer: from the rows of a run to pages that people read.
//!
//! # Consumes
//! - `document.requested`: somebody wants a document of a run, structural or from a prompt template.
//! - `document.ready`: a half (analysed, indexed) of what the documents of a run wait for.
//! - `page.requested`: write one page; the doc-writer asks this of itself.
//!
//! # Produces
//! - `page.requested` for every page of a plan, in the lane of the run;
//! - the transitions *document planned* and *document completed*, and progress in pages.
//!
//! # Tables written
//! `documents`, `document_runs`, `pages`, `revisions`, `citations`, `llm_calls`, and its inbox.
//!
//! # How a page comes to be
//! A structural page is a pure function of rows: [`facts`] are read, [`structural`] writes them down, and every
//! statement about the code is a citation of lines. A template page is written by a model from passages of the
//! snapshot: [`template`] fills the prompt, asks through the send gate, and checks the answer. Both end in the same
//! transaction: revision, citations, page published, and the question whether the document has ended.
//!
//! # Failure behaviour
//! - A half that failed fails the documents of its run. A page that is rejected is marked failed with a sentence, and
//!   its document goes on; it fails only if no page could be written.
//! - Without a model, a document of a template is written structurally and says so on its first page.
//! - A repeat finds its rows and publishes the same messages again. Answers of models are stored before they are used,
//!   so a repeat asks nobody.
//!
//! # Invariants
//! - Names, paths, documentation and answers are foreign: they enter a page escaped ([`markdown`]), and no page holds
//!   HTML, images, hidden characters or links to anywhere but its siblings and the cited lines.
//! - The same rows and settings give the same bytes.
//! - Nothing but the send gate holds a model.
//!
//! To add a page: a variant of [`plan::PageKind`], its place in the plan, and a function in [`structural`].

mod cache;
mod config;
pub mod facts;
mod handlers;
pub mod markdown;
mod metrics;
mod outputs;
pub mod plan;
mod planner;
mod prices;
#[cfg(any(test, fuzzing))]
pub mod properties;
mod service;
pub mod structural;
pub mod template;
mod writer;

pub use config::DocWriterConfig;
pub use metrics::Metrics;
pub use outputs::{Clock, system_clock};
pub use planner::Planner;
pub use prices::{PriceError, Prices};
pub use service::DocWriterService;
pub use writer::{ModelSettings, PageEnd, PageWriter};
