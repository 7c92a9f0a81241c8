//! The shapes of secrets.

use crate::redact::Span;

pub(crate) fn find(_text: &str, _spans: &mut Vec<Span>) {}
