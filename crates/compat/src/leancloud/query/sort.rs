//! The order of an answer.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::clause::{Point, point};
use super::test::{at, compare, distance};
use crate::leancloud::error::{Kind, Refusal};

/// Fields that an answer is sorted by.
const FIELDS_MAX: usize = 4;
/// Characters of a text that count for its place.
const TEXT_CHARS_MAX: usize = 128;

/// Fields, each with whether the greatest comes first.
#[derive(Clone, PartialEq, Debug)]
pub enum Sorting {
    /// By these, one after the other.
    Fields(Vec<(String, bool)>),
    /// The nearest first: of which field, to where.
    Near(String, Point),
}

impl Sorting {
    /// Reads `a,-b`; of an empty text, the conversation that was written in last is first.
    ///
    /// # Errors
    /// 4310 for too many fields, or none between two commas.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        if text.trim().is_empty() {
            return Ok(Self::Fields(vec![("lm".to_owned(), true)]));
        }
        let fields: Vec<(String, bool)> = text
            .split(',')
            .map(|field| match field.trim() {
                field if field.starts_with('-') => (field[1..].to_owned(), true),
                field => (field.trim_start_matches('+').to_owned(), false),
            })
            .collect();
        let named = fields
            .iter()
            .all(|(field, _)| !field.is_empty() && field != "m");
        if fields.len() > FIELDS_MAX || !named {
            let detail = format!("an answer is sorted by 1–{FIELDS_MAX} fields, not by m");
            return Err(Refusal::new(Kind::ConversationQueryFailed, detail));
        }
        Ok(Self::Fields(fields))
    }

    /// What of a row its place depends on.
    #[must_use]
    pub fn key(&self, columns: &Map<String, Value>) -> Vec<Value> {
        match self {
            Self::Fields(fields) => fields
                .iter()
                .map(|(field, _)| match at(columns, field) {
                    Some(Value::String(text)) => {
                        Value::String(text.chars().take(TEXT_CHARS_MAX).collect())
                    }
                    Some(date @ Value::Object(_)) if date.get("iso").is_some() => {
                        date["iso"].clone()
                    }
                    Some(Value::Array(_) | Value::Object(_)) | None => Value::Null,
                    Some(plain) => plain.clone(),
                })
                .collect(),
            Self::Near(field, centre) => {
                let place = at(columns, field).and_then(point);
                vec![place.map_or(Value::Null, |place| distance(*centre, place).into())]
            }
        }
    }

    /// Which of two keys comes first. Kinds of values have an order too, what is missing first.
    #[must_use]
    pub fn order(&self, a: &[Value], b: &[Value]) -> Ordering {
        let falling = |at: usize| match self {
            Self::Fields(fields) => fields.get(at).is_some_and(|(_, falling)| *falling),
            Self::Near(..) => false,
        };
        let pairs = a.iter().zip(b).enumerate();
        pairs
            .map(|(at, (a, b))| {
                let order = compare(a, b).unwrap_or_else(|| rank(a).cmp(&rank(b)));
                if falling(at) { order.reverse() } else { order }
            })
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sorted(sorting: &Sorting, rows: &[Value]) -> Vec<i64> {
        let mut rows: Vec<&Map<String, Value>> =
            rows.iter().map(|row| row.as_object().unwrap()).collect();
        rows.sort_by(|a, b| sorting.order(&sorting.key(a), &sorting.key(b)));
        rows.iter().map(|row| row["n"].as_i64().unwrap()).collect()
    }

    #[test]
    fn rows_are_sorted_by_fields_of_any_kind() {
        let date =
            |day: u8| json!({"__type": "Date", "iso": format!("2026-01-0{day}T00:00:00.000Z")});
        let rows = [
            json!({"n": 1, "a": "x", "b": 2, "lm": date(1)}),
            json!({"n": 2, "a": "x", "b": 10, "lm": date(3)}),
            json!({"n": 3, "b": 0, "lm": date(2)}),
        ];
        let by = |text: &str| sorted(&Sorting::parse(text).unwrap(), &rows);
        assert_eq!(by(""), [2, 3, 1]);
        assert_eq!(by("b"), [3, 1, 2]);
        assert_eq!(by("-a,b"), [1, 2, 3]);
        assert_eq!(by("a, -b"), [3, 2, 1]);
        for bad in [",", "a,", "a,b,c,d,e", "m", "-"] {
            assert!(Sorting::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_nearest_is_first() {
        let place =
            |longitude: f64| json!({"__type": "GeoPoint", "latitude": 0, "longitude": longitude});
        let rows = [
            json!({"n": 1, "p": place(20.0)}),
            json!({"n": 2, "p": place(-3.0)}),
        ];
        let centre = point(&place(0.0)).unwrap();
        assert_eq!(
            sorted(&Sorting::Near("p".to_owned(), centre), &rows),
            [2, 1]
        );
    }
}
