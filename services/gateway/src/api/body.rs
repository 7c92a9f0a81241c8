//! Bodies of requests: JSON that is read strictly, and whose faults are named by their place.

use std::collections::HashSet;
use std::ops::Deref;

use poem::http::StatusCode;
use poem::{FromRequest, IntoResponse as _, Request, RequestBody, Result};
use poem_openapi::error::ContentTypeError;
use poem_openapi::payload::{Json, Payload as _};
use poem_openapi::registry::{MetaMediaType, MetaRequest, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::problem::Problem;

/// The longest detail about a body, in characters.
const MAX_DETAIL: usize = 300;

/// A body as JSON. Unlike [`Json`] it says which field is wrong.
pub(crate) struct Body<T>(pub(crate) T);

impl<T> Deref for Body<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'a, T: Type + DeserializeOwned> ApiExtractor<'a> for Body<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let content = vec![MetaMediaType { content_type: Json::<T>::CONTENT_TYPE, schema: T::schema_ref() }];
        Some(MetaRequest { description: None, content, required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> Result<Self> {
        match request.content_type() {
            None => return Err(ContentTypeError::ExpectContentType.into()),
            Some(given) if Json::<T>::check_content_type(given) => {}
            Some(given) => return Err(ContentTypeError::NotSupported { content_type: given.to_owned() }.into()),
        }
        let bytes = <Vec<u8> as FromRequest>::from_request(request, body).await?;
        read(&bytes).map(Self).map_err(|problem| poem::Error::from_response(problem.into_response()))
    }
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Box<Problem>> {
    // The fields of an object would also be taken in the order of their declaration.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(malformed("The body must be an object, not a list.", None));
    }
    let deserializer = &mut serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut *deserializer).map_err(|error| {
        let is_json = error.inner().is_data();
        let (pointer, place) = (pointer(error.path()), error.path().to_string());
        let text = error.into_inner().to_string();
        if is_json { malformed(&fault(&text, &place), pointer) } else { malformed(&no_json(&text), None) }
    })?;
    deserializer.end().map_err(|error| malformed(&no_json(&error.to_string()), None))?;
    Ok(value)
}

fn malformed(detail: &str, pointer: Option<String>) -> Box<Problem> {
    let detail: String = detail.chars().take(MAX_DETAIL).collect();
    let problem = Problem::new(StatusCode::BAD_REQUEST, "malformed_request", Some(detail.clone()));
    Box::new(match pointer {
        Some(pointer) => problem.at(pointer, detail),
        None => problem,
    })
}

fn no_json(text: &str) -> String {
    format!("The body is not JSON: {text}.")
}

/// What is wrong with a field, without the value that was found there: it may be a secret in the wrong place.
fn fault(text: &str, place: &str) -> String {
    let text = text.rsplit_once(" at line ").map_or(text, |(text, _)| text);
    if text.starts_with("unknown field") || text.starts_with("missing field") {
        let mut letters = text.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        return first.into_iter().chain(letters).chain(['.']).collect();
    }
    match text.rsplit_once(", expected ") {
        Some((_, expected)) => format!("`{place}` must be {expected}."),
        None => format!("`{place}` cannot be read as what it is for."),
    }
}

/// The JSON pointer (RFC 6901) of a place; `None` of the whole body.
fn pointer(path: &serde_path_to_error::Path) -> Option<String> {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        pointer.push('/');
        match segment {
            Segment::Seq { index } => pointer.push_str(&index.to_string()),
            Segment::Map { key } => pointer.push_str(&key.replace('~', "~0").replace('/', "~1")),
            // A choice between types is no place in the text.
            Segment::Enum { .. } | Segment::Unknown => {
                pointer.pop();
            }
        }
    }
    (!pointer.is_empty()).then_some(pointer)
}

/// Says in the OpenAPI document what poem has no word for: fields of bodies that are not described are refused, and what
/// may be left out may be null. The older system's calls take unknown fields, as they always did.
pub(crate) fn describe_fields(document: &mut Value) {
    let operations = document["paths"].as_object().into_iter().flatten();
    let ours = operations.filter(|(path, _)| path.starts_with("/api/v1/"));
    let bodies = ours.flat_map(|(_, methods)| methods.as_object().into_iter().flatten());
    let mut names: Vec<String> = bodies.flat_map(|(_, operation)| references(&operation["requestBody"])).collect();
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else { return };
    let mut seen = HashSet::new();
    while let Some(name) = names.pop() {
        let Some(schema) = schemas.get_mut(&name).filter(|_| seen.insert(name)) else { continue };
        names.extend(references(schema));
        if schema["type"] == "object" {
            schema["additionalProperties"] = Value::Bool(false);
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            let properties = schema["properties"].as_object_mut().into_iter().flatten();
            for (_, field) in properties.filter(|(name, _)| !required.iter().any(|one| one == name.as_str())) {
                // Beside a reference nothing else is read.
                if field.get("$ref").is_some() {
                    *field = json!({ "allOf": [field.take()] });
                }
                field["nullable"] = Value::Bool(true);
            }
        }
    }
}

/// The names of the schemas that a part of the document refers to.
fn references(part: &Value) -> Vec<String> {
    match part {
        Value::Object(fields) => {
            let own = fields.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
            own.map(str::to_owned).into_iter().chain(fields.values().flat_map(references)).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use poem_openapi::types::ToJSON as _;
    use serde::Deserialize;

    use super::read;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the fields' types count")]
    struct Order {
        beans: Vec<Bean>,
        note: Option<String>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the fields' types count")]
    struct Bean {
        grams: u32,
        roast: Roast,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Roast {
        Light,
        Dark,
    }

    fn refused(body: &str) -> (String, Option<String>) {
        let problem = read::<Order>(body.as_bytes()).unwrap_err().to_json().unwrap();
        let pointer = problem["errors"][0]["pointer"].as_str().map(str::to_owned);
        (problem["detail"].as_str().unwrap().to_owned(), pointer)
    }

    #[test]
    fn a_fault_is_named_by_its_place_and_never_by_its_value() {
        assert!(
            read::<Order>(br#"{"beans": [{"grams": 3, "roast": "dark"}, {"grams": 4, "roast": "light"}]}"#).is_ok()
        );
        for (body, detail, pointer) in [
            (r#"{"beans": [{"grams": "s3cret", "roast": "dark"}]}"#, "`beans[0].grams` must be u32.", "/beans/0/grams"),
            (r#"{"beans": [{"grams": -1, "roast": "dark"}]}"#, "`beans[0].grams` must be u32.", "/beans/0/grams"),
            (
                r#"{"beans": [{"grams": 1, "roast": "s3cret"}]}"#,
                "`beans[0].roast` must be `light` or `dark`.",
                "/beans/0/roast",
            ),
            (r#"{"beans": [], "note": {"x": "s3cret"}}"#, "`note` must be a string.", "/note"),
            (r#"{"beans": [], "nöte": 1}"#, "Unknown field `nöte`, expected `beans` or `note`.", "/nöte"),
            (r#"{"beans": [{"roast": "dark"}]}"#, "Missing field `grams`.", "/beans/0"),
        ] {
            assert_eq!(refused(body), (detail.to_owned(), Some(pointer.to_owned())), "{body}");
        }
        assert_eq!(refused("{}"), ("Missing field `beans`.".to_owned(), None));
        assert_eq!(refused(" [[], null]"), ("The body must be an object, not a list.".to_owned(), None));
        for body in ["", "{", "{} x", "s3cret", "\u{0}"] {
            let (detail, pointer) = refused(body);
            assert!(detail.starts_with("The body is not JSON: ") || body == "{} x", "{detail}");
            assert!(pointer.is_none() && !detail.contains("s3cret"), "{detail}");
        }
    }
}
