//! Lines of things.
