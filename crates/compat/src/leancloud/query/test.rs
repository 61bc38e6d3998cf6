//! Does a conversation's row satisfy a `where`?

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::clause::{Clause, Condition, Point, Test, point};
use crate::leancloud::iso;

/// A conversation as conditions see it.
#[derive(Copy, Clone, Debug)]
pub struct Facts<'a> {
    /// Its columns but the members.
    pub columns: &'a Map<String, Value>,
    /// Of the members, those that the `where` names ([`Clause::members`]).
    pub members: &'a BTreeSet<String>,
    /// How many members there are.
    pub member_count: u64,
}

impl Clause {
    /// Does it hold?
    #[must_use]
    pub fn holds(&self, facts: Facts<'_>) -> bool {
        match self {
            Self::All(inner) => inner.iter().all(|clause| clause.holds(facts)),
            Self::Any(inner) => inner.iter().any(|clause| clause.holds(facts)),
            Self::One(Condition { path, test }) if path == "m" => of_members(test, facts),
            Self::One(Condition { path, test }) => of_value(at(facts.columns, path), test),
        }
    }
}

/// The value at a path.
pub(super) fn at<'a>(columns: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let (first, rest) = path.split_once('.').map_or((path, ""), |parts| parts);
    let mut value = columns.get(first)?;
    for key in rest.split('.').filter(|key| !key.is_empty()) {
        value = match value {
            Value::Array(items) => items.get(key.parse::<usize>().ok()?)?,
            other => other.get(key)?,
        };
    }
    (!value.is_null()).then_some(value)
}

fn of_members(test: &Test, facts: Facts<'_>) -> bool {
    let inside = |value: &Value| {
        let user = value.as_str();
        user.is_some_and(|user| facts.members.contains(user))
    };
    match test {
        Test::Equal(Value::Array(items)) => {
            facts.member_count == items.len() as u64 && items.iter().all(inside)
        }
        Test::Equal(one) => inside(one),
        Test::NotEqual(one) => !inside(one),
        Test::In(items) => items.iter().any(inside),
        Test::NotIn(items) => !items.iter().any(inside),
        Test::AllOf(items) => items.iter().all(inside),
        Test::Size(size) => facts.member_count == *size,
        Test::Exists(wanted) => *wanted,
        _ => false,
    }
}

fn of_value(found: Option<&Value>, test: &Test) -> bool {
    let among = |items: &[Value]| {
        items
            .iter()
            .any(|item| found.map_or(item.is_null(), |found| equals(found, item)))
    };
    let ordered = |value: &Value, wanted: &[Ordering]| match found {
        // One of an array is enough.
        Some(Value::Array(items)) => items.iter().any(|item| is_in_order(item, value, wanted)),
        Some(found) => is_in_order(found, value, wanted),
        None => false,
    };
    match test {
        Test::Equal(value) => among(std::slice::from_ref(value)),
        Test::NotEqual(value) => !among(std::slice::from_ref(value)),
        Test::In(items) => among(items),
        Test::NotIn(items) => !among(items),
        Test::Less(value) => ordered(value, &[Ordering::Less]),
        Test::LessOrEqual(value) => ordered(value, &[Ordering::Less, Ordering::Equal]),
        Test::Greater(value) => ordered(value, &[Ordering::Greater]),
        Test::GreaterOrEqual(value) => ordered(value, &[Ordering::Greater, Ordering::Equal]),
        Test::Exists(wanted) => found.is_some() == *wanted,
        Test::AllOf(wanted) => found.is_some_and(|found| {
            let mut wanted = wanted.iter();
            found.is_array() && wanted.all(|item| equals(found, item))
        }),
        Test::Size(size) => {
            let items = found.and_then(Value::as_array);
            items.is_some_and(|items| items.len() as u64 == *size)
        }
        Test::Matches(pattern) => match found {
            Some(Value::Array(items)) => {
                let mut texts = items.iter().filter_map(Value::as_str);
                texts.any(|text| pattern.is_in(text))
            }
            Some(Value::String(text)) => pattern.is_in(text),
            _ => false,
        },
        Test::Near(centre, most) => found
            .and_then(point)
            .is_some_and(|place| distance(*centre, place) <= *most),
        Test::Within(low, high) => found.and_then(point).is_some_and(|place| {
            let north = (low.latitude..=high.latitude).contains(&place.latitude);
            north && (low.longitude..=high.longitude).contains(&place.longitude)
        }),
    }
}

fn is_in_order(found: &Value, value: &Value, wanted: &[Ordering]) -> bool {
    compare(found, value).is_some_and(|order| wanted.contains(&order))
}

/// The same value, or an array that contains it.
fn equals(found: &Value, value: &Value) -> bool {
    let same = |a: &Value, b: &Value| a == b || compare(a, b) == Some(Ordering::Equal);
    match found {
        Value::Array(items) => items.iter().any(|item| same(item, value)) || found == value,
        _ => same(found, value),
    }
}

/// A date, however it is written. A plain text is one only where the other side is a date.
fn date(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => iso::parse(text),
        other => iso::parse(typed_date(other)?),
    }
}

fn typed_date(value: &Value) -> Option<&str> {
    match value.get("__type")?.as_str()? {
        "Date" => value.get("iso")?.as_str(),
        _ => None,
    }
}

/// Which is greater; `None` for values that have no order between them.
pub(super) fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    if typed_date(a).is_some() || typed_date(b).is_some() {
        return Some(date(a)?.cmp(&date(b)?));
    }
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
        },
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// Radians between two places, on a sphere.
pub(super) fn distance(a: Point, b: Point) -> f64 {
    let (low, high) = (a.latitude.to_radians(), b.latitude.to_radians());
    let north = ((high - low) / 2.0).sin().powi(2);
    let east = ((b.longitude - a.longitude).to_radians() / 2.0)
        .sin()
        .powi(2);
    2.0 * (north + low.cos() * high.cos() * east)
        .sqrt()
        .min(1.0)
        .asin()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row() -> Value {
        json!({
            "objectId": "559d08a1e4b0a35bc5062ba1",
            "name": "Flock (1)",
            "c": "tom",
            "createdAt": "2026-01-02T03:04:05.678Z",
            "lm": {"__type": "Date", "iso": "2026-02-01T00:00:00.000Z"},
            "unique": true,
            "attr": {"type": 2, "tags": ["a", "b"], "nothing": null},
            "score": 1.5,
            "place": {"__type": "GeoPoint", "latitude": 39.9, "longitude": 116.4},
        })
    }

    fn holds(condition: Value) -> bool {
        let clause = Clause::parse(&condition).unwrap();
        let row = row();
        let members = ["tom", "bob"].map(str::to_owned).into();
        let named: BTreeSet<String> = clause.members().iter().map(|m| (*m).to_owned()).collect();
        let members: BTreeSet<String> = named.intersection(&members).cloned().collect();
        clause.holds(Facts {
            columns: row.as_object().unwrap(),
            members: &members,
            member_count: 2,
        })
    }

    #[test]
    fn what_holds() {
        for condition in [
            json!({}),
            json!({"c": "tom"}),
            json!({"c": {"$ne": "bob"}}),
            json!({"none": {"$ne": "bob"}}),
            json!({"none": null}),
            json!({"attr.nothing": null}),
            json!({"attr.type": 2}),
            json!({"attr.type": 2.0}),
            json!({"attr.type": {"$gt": 1, "$lte": 2}}),
            json!({"attr.tags": "a"}),
            json!({"attr.tags": ["a", "b"]}),
            json!({"attr.tags": {"$all": ["b", "a"]}}),
            json!({"attr.tags": {"$size": 2}}),
            json!({"attr.tags": {"$in": ["x", "b"]}}),
            json!({"attr.tags.1": "b"}),
            json!({"attr": {"type": 2, "tags": ["a", "b"], "nothing": null}}),
            json!({"score": {"$lt": 2}}),
            json!({"name": {"$regex": "^\\Qflock (\\E", "$options": "i"}}),
            json!({"none": {"$exists": false}}),
            json!({"attr": {"$exists": true}}),
            json!({"c": {"$nin": ["bob", "eve"]}}),
            json!({"$or": [{"c": "bob"}, {"unique": true}]}),
            json!({"$and": [{"c": "tom"}, {"$or": [{"score": 1.5}]}]}),
            json!({"createdAt": {"$lt": {"__type": "Date", "iso": "2026-01-02T03:04:05.679Z"}}}),
            json!({"createdAt": {"$gte": {"__type": "Date", "iso": "2026-01-02T03:04:05.678Z"}}}),
            json!({"lm": {"$gt": {"__type": "Date", "iso": "2026-01-31T00:00:00.000Z"}}}),
            json!({"m": "tom"}),
            json!({"m": {"$all": ["bob", "tom"], "$size": 2}}),
            json!({"m": ["bob", "tom"]}),
            json!({"m": {"$nin": ["eve"]}}),
            json!({"m": {"$in": ["eve", "bob"]}}),
            json!({"m": {"$ne": "eve"}}),
            json!({"place": {"$nearSphere": {"__type": "GeoPoint", "latitude": 39.9, "longitude": 116.5},
                             "$maxDistanceInKilometers": 10}}),
            json!({"place": {"$within": {"$box": [
                {"__type": "GeoPoint", "latitude": 39, "longitude": 116},
                {"__type": "GeoPoint", "latitude": 40, "longitude": 117}]}}}),
        ] {
            assert!(holds(condition.clone()), "{condition}");
        }
    }

    #[test]
    fn what_does_not_hold() {
        for condition in [
            json!({"c": "bob"}),
            json!({"c": {"$ne": "tom"}}),
            json!({"c": null}),
            json!({"attr.type": "2"}),
            json!({"attr.type": {"$gt": "1"}}),
            json!({"attr.tags": {"$all": ["a", "c"]}}),
            json!({"attr.tags": {"$size": 1}}),
            json!({"attr.tags": {"$nin": ["a"]}}),
            json!({"attr.tags.x": "b"}),
            json!({"none": {"$lt": 1}}),
            json!({"none": {"$all": []}}),
            json!({"none": {"$exists": true}}),
            json!({"none": {"$regex": ""}}),
            json!({"name": {"$regex": "flock"}}),
            json!({"$or": []}),
            json!({"$or": [{"c": "bob"}, {"unique": false}]}),
            json!({"createdAt": {"$gt": {"__type": "Date", "iso": "2026-01-02T03:04:05.678Z"}}}),
            json!({"createdAt": {"$gt": {"__type": "Date", "iso": "soon"}}}),
            json!({"m": "eve"}),
            json!({"m": {"$size": 3}}),
            json!({"m": ["tom"]}),
            json!({"m": ["tom", "eve"]}),
            json!({"m": {"$ne": "tom"}}),
            json!({"place": {"$nearSphere": {"__type": "GeoPoint", "latitude": 39.9, "longitude": 116.5},
                             "$maxDistanceInMiles": 5}}),
            json!({"name": {"$nearSphere": {"__type": "GeoPoint", "latitude": 0, "longitude": 0}}}),
        ] {
            assert!(!holds(condition.clone()), "{condition}");
        }
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let deep = (0..10).fold(json!({"a": 1}), |inner, _| json!({"$and": [inner]}));
        let wide: Map<String, Value> = (0..65).map(|n| (format!("f{n}"), json!(n))).collect();
        for condition in [
            json!([]),
            json!({"$nor": []}),
            json!({"a": {"$select": {}}}),
            json!({"a": {"$regex": "("}}),
            json!({"a": {"$regex": 1}}),
            json!({"a": {"$options": "i"}}),
            json!({"a": {"$in": "x"}}),
            json!({"a": {"$in": vec![1; 1_001]}}),
            json!({"a": {"$size": "x"}}),
            json!({"a": {"$exists": "yes"}}),
            json!({"a..b": 1}),
            json!({"": 1}),
            json!({"_uniqueId": "x"}),
            json!({"mu": "tom"}),
            json!({"m": {"$regex": "t"}}),
            json!({"a": {"$maxDistance": 1}}),
            json!({"a": {"$nearSphere": {"__type": "GeoPoint", "latitude": 91, "longitude": 0}}}),
            json!({"a": {"$within": {"$box": []}}}),
            deep,
            Value::Object(wide),
        ] {
            let refusal = Clause::parse(&condition).unwrap_err();
            assert_eq!(refusal.kind.number(), 4310, "{condition}");
        }
        assert!(Clause::parse_text("{").is_err());
        assert!(Clause::parse_text(" ").unwrap().is_empty());
    }

    #[test]
    fn conditions_that_must_hold_narrow_the_search() {
        let clause = json!({"objectId": "x", "$and": [{"m": "tom"}], "$or": [{"a": 1}, {"b": 2}]});
        let clause = Clause::parse(&clause).unwrap();
        let mut paths: Vec<&str> = clause.musts().map(|one| one.path.as_str()).collect();
        paths.sort_unstable();
        assert_eq!(paths, ["m", "objectId"]);
        assert_eq!(clause.members(), BTreeSet::from(["tom"]));
    }
}
