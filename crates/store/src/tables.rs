//! Who writes and who reads each table: the truth that the roles' rights are made from.

use caffeine_model::Service::{self, Chunker, Cloner, DocWriter, Embedder, Gateway, Housekeeper};

/// A table and its services.
#[derive(Debug, Clone, Copy)]
pub struct TableSpec {
    /// Its name.
    pub name: &'static str,
    /// The only service that inserts, updates and deletes.
    pub writer: Service,
    /// Other services that read it.
    pub readers: &'static [Service],
}

const fn table(name: &'static str, writer: Service, readers: &'static [Service]) -> TableSpec {
    TableSpec { name, writer, readers }
}

/// Every table, in the order of the migrations.
pub const TABLES: &[TableSpec] = &[
    table("workspaces", Gateway, &[]),
    table("users", Gateway, &[]),
    table("tokens", Gateway, &[]),
    table("repositories", Gateway, &[DocWriter]),
    table("prompt_templates", Gateway, &[]),
    table("prompt_versions", Gateway, &[]),
    table("runs", Gateway, &[Cloner, DocWriter, Housekeeper]),
    table("run_documents", Gateway, &[]),
    table("run_events", Gateway, &[Housekeeper]),
    table("outbox", Gateway, &[Housekeeper]),
    table("clone_inbox", Cloner, &[]),
    table("snapshots", Cloner, &[DocWriter]),
    table("snapshot_files", Cloner, &[Gateway, Chunker, Embedder, DocWriter]),
    table("clone_runs", Cloner, &[DocWriter]),
    table("chunk_inbox", Chunker, &[]),
    table("file_versions", Chunker, &[Gateway, Cloner, DocWriter]),
    table("symbols", Chunker, &[DocWriter]),
    table("imports", Chunker, &[]),
    table("refs", Chunker, &[]),
    table("chunk_runs", Chunker, &[]),
    table("file_batches", Chunker, &[DocWriter]),
    table("edges", Chunker, &[DocWriter]),
    table("modules", Chunker, &[DocWriter]),
    table("module_files", Chunker, &[DocWriter]),
    table("external_dependencies", Chunker, &[DocWriter]),
    table("embed_inbox", Embedder, &[]),
    table("embedded_versions", Embedder, &[Cloner]),
    table("chunks", Embedder, &[Gateway, DocWriter]),
    table("embed_runs", Embedder, &[]),
    table("chunk_batches", Embedder, &[DocWriter]),
    table("document_inbox", DocWriter, &[]),
    table("document_runs", DocWriter, &[]),
    table("documents", DocWriter, &[Gateway]),
    table("pages", DocWriter, &[Gateway]),
    table("revisions", DocWriter, &[Gateway]),
    table("citations", DocWriter, &[]),
    table("llm_calls", DocWriter, &[]),
];

impl TableSpec {
    /// What a service may do with the table; empty for most.
    #[must_use]
    pub fn rights(&self, service: Service) -> &'static [&'static str] {
        if self.writer == service {
            return &["SELECT", "INSERT", "UPDATE", "DELETE"];
        }
        if self.readers.contains(&service) { &["SELECT"] } else { &[] }
    }
}
