//! The gateway's rules, free of HTTP, SQL and the bus.

pub(crate) mod announce;
pub(crate) mod credential;
pub(crate) mod cursor;
pub(crate) mod diagram;
pub(crate) mod facts;
pub(crate) mod legacy;
pub(crate) mod letter;
pub(crate) mod reference;
pub(crate) mod role;
pub(crate) mod stages;
pub(crate) mod target;
pub(crate) mod tasks;
pub(crate) mod template;
pub(crate) mod token;
pub(crate) mod url;
pub(crate) mod webhook;
