//! The allocator of wasm32-unknown-unknown.
//!
//! The one that the standard library brings for this target asks for more memory at its first allocation and leaves
//! what the linker put aside for the heap unused. Growing is the dearest thing that a small op does, so this one begins
//! with the memory between `__heap_base` and `__heap_end` and grows only when that is used up.

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;
