//! Who writes and who reads each table: the truth that the roles' rights are made from.

use caffeine_model::Service::{self, Chunker, Cloner, DocWriter, Embedder, Gateway, Housekeeper};

/// A table and its services.
#[derive(Debug, Clone, Copy)]
pub struct TableSpec {
    /// Its name.
    pub name: &'static str,
    /// The only service that inserts, updates and deletes; nobody does in a view.
    pub writer: Option<Service>,
    /// Other services that read it.
    pub readers: &'static [Service],
    /// Rows are added and never changed nor removed, not even by the writer; at most they go with what they hang on, which
    /// the database does as the owner.
    pub grows_only: bool,
}

const fn table(name: &'static str, writer: Service, readers: &'static [Service]) -> TableSpec {
    TableSpec { name, writer: Some(writer), readers, grows_only: false }
}

const fn log(name: &'static str, writer: Service) -> TableSpec {
    TableSpec { name, writer: Some(writer), readers: &[], grows_only: true }
}

const fn view(name: &'static str, readers: &'static [Service]) -> TableSpec {
    TableSpec { name, writer: None, readers, grows_only: false }
}

/// Every table and view, in the order of the migrations.
pub const TABLES: &[TableSpec] = &[
    table("workspaces", Gateway, &[]),
    table("users", Gateway, &[]),
    table("tokens", Gateway, &[]),
    table("repositories", Gateway, &[Cloner, DocWriter, Housekeeper]),
    table("prompt_templates", Gateway, &[]),
    log("prompt_versions", Gateway),
    table("runs", Gateway, &[Cloner, Chunker, Embedder, DocWriter, Housekeeper]),
    table("run_documents", Gateway, &[]),
    table("run_events", Gateway, &[Housekeeper]),
    table("outbox", Gateway, &[Housekeeper]),
    table("clone_inbox", Cloner, &[]),
    table("snapshots", Cloner, &[Gateway, Chunker, Embedder, DocWriter, Housekeeper]),
    table("snapshot_files", Cloner, &[Gateway, Chunker, Embedder, DocWriter]),
    table("clone_runs", Cloner, &[DocWriter]),
    table("chunk_inbox", Chunker, &[Gateway]),
    table("file_versions", Chunker, &[Gateway, Cloner, DocWriter]),
    table("symbols", Chunker, &[Gateway, DocWriter]),
    table("imports", Chunker, &[]),
    table("refs", Chunker, &[]),
    table("chunk_runs", Chunker, &[Gateway, Housekeeper]),
    table("file_batches", Chunker, &[Gateway, DocWriter]),
    table("edges", Chunker, &[DocWriter]),
    table("modules", Chunker, &[DocWriter]),
    table("module_files", Chunker, &[Gateway, DocWriter]),
    table("external_dependencies", Chunker, &[DocWriter]),
    table("embed_inbox", Embedder, &[Gateway]),
    table("embedded_versions", Embedder, &[Cloner]),
    table("chunks", Embedder, &[Gateway, DocWriter]),
    table("embed_runs", Embedder, &[Housekeeper]),
    table("chunk_batches", Embedder, &[Gateway, DocWriter]),
    table("document_inbox", DocWriter, &[Gateway]),
    table("document_runs", DocWriter, &[]),
    table("documents", DocWriter, &[Gateway]),
    table("pages", DocWriter, &[Gateway]),
    table("revisions", DocWriter, &[Gateway]),
    table("citations", DocWriter, &[Gateway]),
    table("llm_calls", DocWriter, &[]),
    table("credentials", Gateway, &[Cloner]),
    table("sessions", Gateway, &[]),
    log("audit_entries", Gateway),
    view("kept_snapshots", &[Cloner, Housekeeper]),
    table("webhooks", Gateway, &[]),
    table("webhook_deliveries", Gateway, &[]),
    table("idempotency_keys", Gateway, &[]),
    table("symbol_positions", DocWriter, &[]),
];

impl TableSpec {
    /// What a service may do with the table; empty for most.
    #[must_use]
    pub fn rights(&self, service: Service) -> &'static [&'static str] {
        if self.writer == Some(service) && self.grows_only {
            return &["SELECT", "INSERT"];
        }
        if self.writer == Some(service) {
            return &["SELECT", "INSERT", "UPDATE", "DELETE"];
        }
        if self.readers.contains(&service) { &["SELECT"] } else { &[] }
    }
}
