//! The chunker as a program of its own.

/// Linking takes hundreds of megabytes for a large snapshot; this allocator gives them back, the C library's keeps them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    caffeine_kit::main::<caffeine_chunker::ChunkerService>()
}
