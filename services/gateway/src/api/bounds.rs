//! What is said in the OpenAPI document about numbers and texts that poem has no words for: a request within the
//! bounds that are described is not malformed.

use serde_json::{Value, json};

use super::{once, search};

/// Describes the bounds of numbers and of the texts of parameters.
pub(crate) fn describe(document: &mut Value) {
    numbers(document);
    let operations =
        document["paths"].as_object_mut().into_iter().flatten().filter_map(|(_, item)| item.as_object_mut());
    for operation in operations.flatten().map(|(_, operation)| operation) {
        for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
            text(parameter);
        }
    }
}

/// An integer is as long as what it is read into.
fn numbers(part: &mut Value) {
    match part {
        Value::Object(fields) => {
            let longest = match fields.get("format").and_then(Value::as_str) {
                Some("uint16") => Some(u64::from(u16::MAX)),
                Some("uint32") => Some(u64::from(u32::MAX)),
                Some("uint64") => Some(u64::MAX),
                _ => None,
            };
            if let Some(longest) = longest {
                fields.entry("minimum").or_insert(json!(0));
                fields.entry("maximum").or_insert(json!(longest));
            }
            fields.values_mut().for_each(numbers);
        }
        Value::Array(items) => items.iter_mut().for_each(numbers),
        _ => {}
    }
}

/// By their names, which mean the same in every operation.
fn text(parameter: &mut Value) {
    let bounds = match parameter["name"].as_str() {
        Some("Idempotency-Key") => json!({ "pattern": "^[!-~]+$", "minLength": 1, "maxLength": once::MAX_KEY }),
        Some("commit") => json!({ "pattern": "^[0-9A-Fa-f]{40}$" }),
        Some("q") => json!({ "pattern": "^[^\\x00]*$", "minLength": 1, "maxLength": search::MAX_QUESTION }),
        _ => return,
    };
    if let (Some(Value::Object(schema)), Value::Object(bounds)) = (parameter.get_mut("schema"), bounds) {
        schema.extend(bounds);
    }
}
