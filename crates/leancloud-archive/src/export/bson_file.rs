//! LeanCloud's backup export: BSON documents one after another, as `mongodump` writes them, brought
//! into the form in which the API gives the same objects.
//!
//! `_id` becomes `objectId`; `createdAt` and `updatedAt` are plain strings; other dates, binary data
//! and references have LeanCloud's `__type` objects
//! (<https://docs.leancloud.cn/sdk/storage/guide/rest/>, data types).

use std::io::{BufRead, Read as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bson::{Bson, Document};
use serde_json::{Map, Value, json};

use crate::civil::iso;
use crate::error::{At as _, Error};
use crate::segment::ROW_BYTES_MAX;

/// Calls `row` with each document's text as JSON.
pub(super) fn each_row(
    path: &Path,
    reader: &mut impl BufRead,
    mut row: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    while !reader.fill_buf().at(path)?.is_empty() {
        let mut length = [0; 4];
        reader.read_exact(&mut length).at(path)?;
        let total = usize::try_from(i32::from_le_bytes(length)).unwrap_or(0);
        if !(5..=ROW_BYTES_MAX).contains(&total) {
            return Err(Error::damaged(path, "a document cannot be that long"));
        }
        let mut bytes = length.to_vec();
        reader
            .by_ref()
            .take(total as u64 - 4)
            .read_to_end(&mut bytes)
            .at(path)?;
        let document = Document::from_reader(bytes.as_slice());
        let document = document.map_err(|error| Error::damaged(path, error.to_string()))?;
        let text = serde_json::to_vec(&object(document)).expect("JSON values can be written");
        row(&text)?;
    }
    Ok(())
}

/// An object of a class.
fn object(document: Document) -> Value {
    let fields = document
        .into_iter()
        .map(|(name, value)| match (name.as_str(), value) {
            ("_id", Bson::ObjectId(id)) => ("objectId".to_owned(), Value::String(id.to_hex())),
            ("_id", id) => ("objectId".to_owned(), plain(id)),
            ("createdAt" | "updatedAt", Bson::DateTime(at)) => {
                (name, Value::String(iso(at.timestamp_millis())))
            }
            (_, value) => (name, plain(value)),
        });
    Value::Object(fields.collect())
}

fn plain(value: Bson) -> Value {
    match value {
        Bson::Double(number) => json!(number),
        Bson::String(text) | Bson::Symbol(text) | Bson::JavaScriptCode(text) => Value::String(text),
        Bson::Array(items) => Value::Array(items.into_iter().map(plain).collect()),
        Bson::Document(fields) => match (fields.get("$ref"), fields.get("$id")) {
            (Some(Bson::String(class)), Some(id)) => {
                json!({"__type": "Pointer", "className": class, "objectId": plain(id.clone())})
            }
            _ => Value::Object(
                fields
                    .into_iter()
                    .map(|(k, v)| (k, plain(v)))
                    .collect::<Map<_, _>>(),
            ),
        },
        Bson::Boolean(flag) => Value::Bool(flag),
        Bson::Int32(number) => json!(number),
        Bson::Int64(number) => json!(number),
        Bson::ObjectId(id) => Value::String(id.to_hex()),
        Bson::DateTime(at) => json!({"__type": "Date", "iso": iso(at.timestamp_millis())}),
        Bson::Binary(data) => json!({"__type": "Bytes", "base64": STANDARD.encode(data.bytes)}),
        Bson::Decimal128(number) => Value::String(number.to_string()),
        Bson::Null | Bson::Undefined => Value::Null,
        // Types that LeanCloud does not store: kept as text rather than dropped.
        other => Value::String(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use bson::{DateTime, doc, oid::ObjectId};

    use super::*;

    #[test]
    fn documents_take_the_form_of_the_api() {
        let id = ObjectId::parse_str("5a5ecde6c3422b738c8779d7").unwrap();
        let at = DateTime::from_millis(1_516_161_333_386);
        let document = doc! {
            "_id": id, "createdAt": at, "updatedAt": at, "lm": at, "m": ["Tom", "Jerry"], "n": 5_i64,
            "owner": {"$ref": "_User", "$id": id}, "attr": {"since": at}, "unique": true,
        };
        let bytes = document.to_vec().unwrap();
        let twice = [bytes.clone(), bytes].concat();
        let mut rows = Vec::new();
        each_row(Path::new("x"), &mut twice.as_slice(), |row| {
            rows.push(serde_json::from_slice::<Value>(row).unwrap());
            Ok(())
        })
        .unwrap();
        let iso = "2018-01-17T03:55:33.386Z";
        let expected = json!({
            "objectId": "5a5ecde6c3422b738c8779d7", "createdAt": iso, "updatedAt": iso,
            "lm": {"__type": "Date", "iso": iso}, "m": ["Tom", "Jerry"], "n": 5, "unique": true,
            "owner": {"__type": "Pointer", "className": "_User", "objectId": "5a5ecde6c3422b738c8779d7"},
            "attr": {"since": {"__type": "Date", "iso": iso}},
        });
        assert_eq!(rows, [expected.clone(), expected]);
    }

    #[test]
    fn a_cut_off_or_absurd_document_is_an_error() {
        let bytes = doc! {"_id": "x"}.to_vec().unwrap();
        let cut = &bytes[..bytes.len() - 1];
        assert!(each_row(Path::new("x"), &mut &cut[..], |_| Ok(())).is_err());
        assert!(
            each_row(
                Path::new("x"),
                &mut &[255_u8, 255, 255, 127, 0][..],
                |_| Ok(())
            )
            .is_err()
        );
    }
}
