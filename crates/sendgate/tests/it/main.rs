//! The send gate from outside.

mod gate;
mod redact;
