//! The parameters of lists, and what is said about them in the description.

use std::borrow::Cow;

use caffeine_store::gateway::Cursor;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::types::{ParseError, ParseFromParameter, ParseResult, Type};

use super::ApiError;
use crate::domain::cursor;

/// How many rows an answer holds at most: from 1 to `MAX`, which the description says, too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit<const MAX: u32>(u32);

/// Of lists that are read page by page.
pub(crate) type PageLimit = Limit<{ cursor::MAX_LIMIT }>;

impl<const MAX: u32> Limit<MAX> {
    /// As many as there may be.
    pub(crate) const MOST: Self = Self(MAX);

    /// The limit that was given, or the usual one.
    ///
    /// # Errors
    /// 400 if it is beyond its bounds.
    pub(crate) fn or(given: Option<Self>, usual: u32) -> Result<u32, ApiError> {
        let limit = given.map_or(usual, |given| given.0);
        if (1..=MAX).contains(&limit) {
            return Ok(limit);
        }
        Err(ApiError::bad_request("bad_limit", format!("`limit` must be between 1 and {MAX}.")))
    }
}

impl<const MAX: u32> Type for Limit<MAX> {
    const IS_REQUIRED: bool = true;

    type RawValueType = Self;

    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        format!("limit_{MAX}").into()
    }

    fn schema_ref() -> MetaSchemaRef {
        let bounds = MetaSchema { minimum: Some(1.0), maximum: Some(f64::from(MAX)), ..MetaSchema::ANY };
        u32::schema_ref().merge(bounds)
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl<const MAX: u32> ParseFromParameter for Limit<MAX> {
    fn parse_from_parameter(value: &str) -> ParseResult<Self> {
        u32::parse_from_parameter(value).map(Self).map_err(ParseError::propagate)
    }
}

/// Reads the parameters of a list.
///
/// # Errors
/// 400 if the cursor is none of this kind of list, or the limit is beyond its bounds.
pub(crate) fn page_of<K: cursor::Key>(
    text: Option<&str>,
    limit: Option<PageLimit>,
) -> Result<(Option<Cursor<K>>, i64), ApiError> {
    let after = text
        .map(|text| {
            cursor::decode(text).ok_or_else(|| {
                ApiError::bad_request("bad_cursor", "`cursor` is none of ours. Use `next_cursor` of the page before.")
            })
        })
        .transpose()?;
    Ok((after, i64::from(Limit::or(limit, cursor::DEFAULT_LIMIT)?)))
}
