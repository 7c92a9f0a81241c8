//! The doc-writer as a program of its own.

fn main() -> std::process::ExitCode {
    caffeine_kit::main::<caffeine_doc_writer::DocWriterService>()
}
