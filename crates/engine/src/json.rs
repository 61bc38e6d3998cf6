//! JSON texts and the domain's values. Stored rows, the wires and REST all carry attributes as JSON
//! text or JSON values; in between they are [`Json`].

use anser_domain::attributes::{Json, Object};
use anser_domain::{Code, Reject};
use serde_json::Value;

/// Bytes of a JSON text that is read at all: with every character escaped, what is in the limits.
const TEXT_BYTES_MAX: usize = 128 * 1024;

/// The value of a JSON text. `INVALID_REQUEST` names the field.
pub fn parse(field: &str, text: &str) -> Result<Json, Reject> {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("{field} is above {TEXT_BYTES_MAX} bytes");
        return Err(Reject::new(Code::InvalidRequest, message));
    }
    serde_json::from_str(text)
        .map(value)
        .map_err(|error| Reject::new(Code::InvalidRequest, format!("{field} is no JSON: {error}")))
}

/// The object of a JSON text; an empty text is an empty object.
pub fn parse_object(field: &str, text: &str) -> Result<Object, Reject> {
    if text.is_empty() {
        return Ok(Object::new());
    }
    match parse(field, text)? {
        Json::Object(object) => Ok(object),
        _ => {
            let message = format!("{field} is not a JSON object");
            Err(Reject::new(Code::InvalidRequest, message))
        }
    }
}

/// The text of an object; of an empty one, no text.
#[must_use]
pub fn object_text(object: &Object) -> String {
    if object.is_empty() {
        return String::new();
    }
    let members = object.iter().map(|(key, it)| (key.clone(), to_value(it)));
    Value::Object(members.collect()).to_string()
}

/// The text of a value.
#[must_use]
pub fn text(json: &Json) -> String {
    to_value(json).to_string()
}

/// From the form that serde reads.
#[must_use]
pub fn value(value: Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(it) => Json::Bool(it),
        Value::Number(it) => match (it.as_i64(), it.as_f64()) {
            (Some(whole), _) => Json::Integer(whole),
            (None, Some(real)) => Json::Real(real),
            (None, None) => Json::Null,
        },
        Value::String(it) => Json::Text(it),
        Value::Array(items) => Json::Array(items.into_iter().map(self::value).collect()),
        Value::Object(it) => Json::Object(
            it.into_iter()
                .map(|(key, it)| (key, self::value(it)))
                .collect(),
        ),
    }
}

/// To the form that serde writes.
#[must_use]
pub fn to_value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(it) => Value::Bool(*it),
        Json::Integer(it) => Value::from(*it),
        Json::Real(it) => Value::from(*it),
        Json::Text(it) => Value::String(it.clone()),
        Json::Array(items) => Value::Array(items.iter().map(to_value).collect()),
        Json::Object(it) => Value::Object(
            it.iter()
                .map(|(key, it)| (key.clone(), to_value(it)))
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_what_was_written() {
        let text = r#"{"a":[1,2.5,"x",null,true],"b":{"c":-9007199254740993}}"#;
        let object = parse_object("attributes", text).unwrap();
        assert_eq!(object_text(&object), text);
        assert_eq!(parse_object("attributes", "").unwrap(), Object::new());
        for bad in ["[]", "1", "{", "nul"] {
            let reject = parse_object("attributes", bad).unwrap_err();
            assert_eq!(reject.code, Code::InvalidRequest, "{bad}");
        }
        assert!(
            parse("value", &"[".repeat(10_000)).is_err(),
            "bounded in depth"
        );
    }
}
