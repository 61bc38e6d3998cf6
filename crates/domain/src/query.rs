//! Queries: which conversations are asked for, and in which order.
//!
//! A conversation is looked at as one JSON object, its document: `conversation`, `name`, `owner`,
//! `created_time`, `updated_time`, `last_time`, `member_count`, `unique`, `members`, and under
//! `attributes` the application's own. A filter is JSON too:
//!
//! * `{"field": "attributes.game.round", "op": "gt", "value": 2}` is a condition,
//! * `{"all": […]}`, `{"any": […]}` and `{"not": …}` put conditions together.
//!
//! A field that is an array equals a value if it contains it. What is not there equals nothing,
//! has no order, and is `ne` and `not_in` of everything.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::attributes::{Json, Object, check_path};
use crate::code::{Code, Reject};
use crate::id::UserId;
use crate::limits::{
    QUERY_CONDITIONS_MAX, QUERY_DEPTH_MAX, QUERY_SORTS_MAX, QUERY_VALUES_MAX, SORT_TEXT_CHARS_MAX,
};

/// What a condition asks of a field.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Op {
    /// The same value, or an array that contains it.
    Equal,
    /// Not that.
    NotEqual,
    /// Less, by [`Json::order`].
    Less,
    /// Less, or the same.
    LessOrEqual,
    /// Greater.
    Greater,
    /// Greater, or the same.
    GreaterOrEqual,
    /// Equal to one of an array.
    In,
    /// Equal to none of an array.
    NotIn,
    /// Is there (`true`), or is not (`false`).
    Exists,
    /// A string that begins with this one.
    Prefix,
    /// A string with this one inside.
    Contains,
    /// An array that contains all of an array.
    All,
}

const OPS: &[(&str, Op)] = &[
    ("eq", Op::Equal),
    ("ne", Op::NotEqual),
    ("lt", Op::Less),
    ("lte", Op::LessOrEqual),
    ("gt", Op::Greater),
    ("gte", Op::GreaterOrEqual),
    ("in", Op::In),
    ("not_in", Op::NotIn),
    ("exists", Op::Exists),
    ("prefix", Op::Prefix),
    ("contains", Op::Contains),
    ("all", Op::All),
];

/// Fields of the document that are not the application's.
const FIELDS: &[&str] = &[
    "conversation",
    "name",
    "owner",
    "created_time",
    "updated_time",
    "last_time",
    "member_count",
    "unique",
    "members",
];

/// Which conversations are asked for.
#[derive(Clone, PartialEq, Debug)]
pub enum Filter {
    /// One condition.
    Condition {
        /// Of the document.
        field: String,
        /// What is asked of it.
        op: Op,
        /// Compared with.
        value: Json,
    },
    /// All of them hold; of none, always.
    All(Vec<Filter>),
    /// One of them holds at least.
    Any(Vec<Filter>),
    /// It does not hold.
    Not(Box<Filter>),
}

/// What a filter may still have; every conversation in question is held against all of it.
struct Room {
    conditions: usize,
    /// What puts conditions together, or is empty.
    groups: usize,
}

impl Room {
    fn take(&mut self, is_condition: bool) -> Result<(), Reject> {
        let (left, noun) = match is_condition {
            true => (&mut self.conditions, "conditions"),
            false => (&mut self.groups, "groups of conditions"),
        };
        match left.checked_sub(1) {
            Some(rest) => *left = rest,
            None => {
                return refuse(format!(
                    "a filter has at most {QUERY_CONDITIONS_MAX} {noun}"
                ));
            }
        }
        Ok(())
    }
}

fn refuse<T>(message: impl Into<String>) -> Result<T, Reject> {
    Err(Reject::new(Code::InvalidRequest, message.into()))
}

fn check_field(field: &str) -> Result<(), Reject> {
    match field.strip_prefix("attributes.") {
        Some(path) => check_path(path),
        None if FIELDS.contains(&field) => Ok(()),
        None => refuse(format!(
            "a field is attributes.<path>, or one of {}",
            FIELDS.join(", ")
        )),
    }
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// `INVALID_REQUEST` says what is wrong, or which limit it breaks.
    pub fn parse(json: &Json) -> Result<Self, Reject> {
        let mut room = Room {
            conditions: QUERY_CONDITIONS_MAX,
            groups: QUERY_CONDITIONS_MAX,
        };
        Self::read(json, QUERY_DEPTH_MAX, &mut room)
    }

    fn read(json: &Json, depth: usize, room: &mut Room) -> Result<Self, Reject> {
        let Json::Object(object) = json else {
            return refuse("a filter is a JSON object");
        };
        let is_condition = object.contains_key("field");
        room.take(is_condition)?;
        if object.is_empty() {
            return Ok(Self::All(Vec::new()));
        }
        if depth == 0 {
            return refuse(format!("a filter is at most {QUERY_DEPTH_MAX} levels deep"));
        }
        if is_condition {
            return Self::condition(object);
        }
        let mut members = object.iter();
        match (members.next(), members.next()) {
            (Some((word, Json::Array(inner))), None) if word == "all" || word == "any" => {
                let inner: Result<Vec<Self>, Reject> = inner
                    .iter()
                    .map(|filter| Self::read(filter, depth - 1, room))
                    .collect();
                Ok(match word.as_str() {
                    "all" => Self::All(inner?),
                    _ => Self::Any(inner?),
                })
            }
            (Some((word, inner)), None) if word == "not" => {
                Ok(Self::Not(Box::new(Self::read(inner, depth - 1, room)?)))
            }
            _ => refuse("a filter is {field, op, value}, {all: […]}, {any: […]} or {not: …}"),
        }
    }

    fn condition(object: &Object) -> Result<Self, Reject> {
        if let Some(key) = object
            .keys()
            .find(|key| !["field", "op", "value"].contains(&key.as_str()))
        {
            return refuse(format!("a condition has no {key:?}"));
        }
        let (Some(Json::Text(field)), Some(value)) = (object.get("field"), object.get("value"))
        else {
            return refuse("a condition has a field, a string, and a value");
        };
        check_field(field)?;
        let op = match object.get("op") {
            None => Op::Equal,
            Some(Json::Text(word)) => match OPS.iter().find(|(name, _)| name == word) {
                Some((_, op)) => *op,
                None => {
                    let names: Vec<&str> = OPS.iter().map(|(name, _)| *name).collect();
                    return refuse(format!("op is one of {}", names.join(", ")));
                }
            },
            Some(_) => return refuse("op is a string"),
        };
        match (op, value) {
            (Op::In | Op::NotIn | Op::All, Json::Array(items))
                if items.len() <= QUERY_VALUES_MAX => {}
            (Op::In | Op::NotIn | Op::All, _) => {
                return refuse(format!(
                    "the value of in, not_in and all is an array of at most {QUERY_VALUES_MAX}"
                ));
            }
            (Op::Exists, Json::Bool(_)) | (Op::Prefix | Op::Contains, Json::Text(_)) => {}
            (Op::Exists, _) => return refuse("the value of exists is true or false"),
            (Op::Prefix | Op::Contains, _) => {
                return refuse("the value of prefix and contains is a string");
            }
            _ => {}
        }
        let of_members = [Op::Equal, Op::NotEqual, Op::In, Op::NotIn, Op::All];
        if field == "members" && !of_members.contains(&op) {
            return refuse("members takes eq, ne, in, not_in and all");
        }
        Ok(Self::Condition {
            field: field.clone(),
            op,
            value: value.clone(),
        })
    }

    /// Does it hold for this document?
    #[must_use]
    pub fn holds(&self, document: &Json) -> bool {
        match self {
            Self::All(inner) => inner.iter().all(|filter| filter.holds(document)),
            Self::Any(inner) => inner.iter().any(|filter| filter.holds(document)),
            Self::Not(inner) => !inner.holds(document),
            Self::Condition { field, op, value } => test(document.at(field), *op, value),
        }
    }

    /// Every user that a condition on `members` names: of the members, no others matter.
    #[must_use]
    pub fn members(&self) -> BTreeSet<UserId> {
        let mut users = BTreeSet::new();
        self.collect_members(&mut users);
        users
    }

    fn collect_members(&self, users: &mut BTreeSet<UserId>) {
        match self {
            Self::All(inner) | Self::Any(inner) => {
                inner
                    .iter()
                    .for_each(|filter| filter.collect_members(users));
            }
            Self::Not(inner) => inner.collect_members(users),
            Self::Condition { field, value, .. } if field == "members" => {
                let texts = match value {
                    Json::Array(items) => items.as_slice(),
                    one => std::slice::from_ref(one),
                };
                users.extend(texts.iter().filter_map(user));
            }
            Self::Condition { .. } => {}
        }
    }

    /// A user who is a member of every conversation for which it holds, if it says so.
    #[must_use]
    pub fn narrowest(&self) -> Option<UserId> {
        match self {
            Self::All(inner) => inner.iter().find_map(Self::narrowest),
            Self::Condition {
                field,
                op: Op::Equal,
                value,
            } if field == "members" => user(value),
            Self::Condition {
                field,
                op: Op::All,
                value: Json::Array(items),
            } if field == "members" => items.iter().find_map(user),
            _ => None,
        }
    }
}

fn user(json: &Json) -> Option<UserId> {
    match json {
        Json::Text(text) => UserId::new(text).ok(),
        _ => None,
    }
}

fn equals(found: &Json, value: &Json) -> bool {
    match found {
        Json::Array(items) => items.iter().any(|item| item.equals(value)) || found.equals(value),
        _ => found.equals(value),
    }
}

fn test(found: Option<&Json>, op: Op, value: &Json) -> bool {
    let among = |found: &Json| match value {
        Json::Array(items) => items.iter().any(|item| equals(found, item)),
        _ => false,
    };
    let order = |wanted: &[Ordering]| {
        let order = found.and_then(|found| found.order(value));
        order.is_some_and(|order| wanted.contains(&order))
    };
    match op {
        Op::Equal => found.is_some_and(|found| equals(found, value)),
        Op::NotEqual => !found.is_some_and(|found| equals(found, value)),
        Op::Less => order(&[Ordering::Less]),
        Op::LessOrEqual => order(&[Ordering::Less, Ordering::Equal]),
        Op::Greater => order(&[Ordering::Greater]),
        Op::GreaterOrEqual => order(&[Ordering::Greater, Ordering::Equal]),
        Op::In => found.is_some_and(among),
        Op::NotIn => !found.is_some_and(among),
        Op::Exists => Json::Bool(found.is_some()) == *value,
        Op::Prefix => text_of(found, value).is_some_and(|(text, part)| text.starts_with(part)),
        Op::Contains => text_of(found, value).is_some_and(|(text, part)| text.contains(part)),
        Op::All => match (found, value) {
            (Some(Json::Array(items)), Json::Array(wanted)) => wanted
                .iter()
                .all(|one| items.iter().any(|item| item.equals(one))),
            _ => false,
        },
    }
}

fn text_of<'a>(found: Option<&'a Json>, value: &'a Json) -> Option<(&'a str, &'a str)> {
    match (found, value) {
        (Some(Json::Text(text)), Json::Text(part)) => Some((text, part)),
        _ => None,
    }
}

/// The order of an answer: by these fields, one after the other, then by name of the conversation.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Sorting(Vec<(String, bool)>);

impl Sorting {
    /// Reads field names, each with `-` before it for the greatest first; of none, the newest
    /// activity is first.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for what is no field, or too many of them.
    pub fn parse(fields: &[String]) -> Result<Self, Reject> {
        if fields.len() > QUERY_SORTS_MAX {
            return refuse(format!(
                "an answer is sorted by at most {QUERY_SORTS_MAX} fields"
            ));
        }
        if fields.is_empty() {
            return Ok(Self(vec![("last_time".to_owned(), true)]));
        }
        let read = |text: &String| {
            let (field, falling) = match text.strip_prefix('-') {
                Some(field) => (field, true),
                None => (text.as_str(), false),
            };
            check_field(field)?;
            if field == "members" {
                return refuse("an answer can't be sorted by members");
            }
            Ok((field.to_owned(), falling))
        };
        fields.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// What of a document its place depends on. Of long strings, only the beginning.
    #[must_use]
    pub fn key(&self, document: &Json) -> Vec<Json> {
        let fields = self.0.iter();
        fields
            .map(|(field, _)| match document.at(field) {
                Some(Json::Text(text)) => {
                    Json::Text(text.chars().take(SORT_TEXT_CHARS_MAX).collect())
                }
                Some(Json::Array(_) | Json::Object(_)) | None => Json::Null,
                Some(plain) => plain.clone(),
            })
            .collect()
    }

    /// Which of two keys comes first. Kinds of values have an order too, what is missing first.
    #[must_use]
    pub fn order(&self, a: &[Json], b: &[Json]) -> Ordering {
        let pairs = a.iter().zip(b).zip(&self.0);
        pairs
            .map(|((a, b), (_, falling))| {
                let order = a.order(b).unwrap_or_else(|| rank(a).cmp(&rank(b)));
                if *falling { order.reverse() } else { order }
            })
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

fn rank(json: &Json) -> u8 {
    match json {
        Json::Null => 0,
        Json::Bool(_) => 1,
        Json::Integer(_) | Json::Real(_) => 2,
        Json::Text(_) => 3,
        Json::Array(_) => 4,
        Json::Object(_) => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Json {
        Json::Text(text.to_owned())
    }

    fn object(members: &[(&str, Json)]) -> Json {
        let members = members.iter();
        Json::Object(
            members
                .map(|(key, it)| ((*key).to_owned(), it.clone()))
                .collect(),
        )
    }

    fn list(items: &[Json]) -> Json {
        Json::Array(items.to_vec())
    }

    fn condition(field: &str, op: &str, value: Json) -> Json {
        object(&[("field", text(field)), ("op", text(op)), ("value", value)])
    }

    fn document() -> Json {
        let game = object(&[("round", Json::Integer(2)), ("map", text("south lake"))]);
        object(&[
            ("name", text("Geese")),
            ("last_time", Json::Integer(100)),
            ("members", list(&[text("alice"), text("bob")])),
            (
                "attributes",
                object(&[("game", game), ("tags", list(&[text("a"), text("b")]))]),
            ),
        ])
    }

    #[test]
    fn every_operator_has_its_meaning() {
        let cases = [
            ("name", "eq", text("Geese"), true),
            ("name", "ne", text("Geese"), false),
            ("attributes.none", "ne", text("x"), true),
            ("attributes.none", "eq", Json::Null, false),
            ("attributes.game.round", "eq", Json::Real(2.0), true),
            ("attributes.game.round", "lt", Json::Integer(2), false),
            ("attributes.game.round", "lte", Json::Integer(2), true),
            ("attributes.game.round", "gt", Json::Real(1.5), true),
            ("attributes.game.round", "gte", text("1"), false),
            (
                "attributes.game.round",
                "in",
                list(&[Json::Integer(1), Json::Integer(2)]),
                true,
            ),
            (
                "attributes.game.round",
                "not_in",
                list(&[Json::Integer(2)]),
                false,
            ),
            ("attributes.none", "not_in", list(&[Json::Integer(2)]), true),
            ("attributes.none", "exists", Json::Bool(false), true),
            ("attributes.game", "exists", Json::Bool(true), true),
            ("attributes.game.map", "prefix", text("south"), true),
            ("attributes.game.map", "contains", text("lake"), true),
            ("attributes.game.map", "contains", text("Lake"), false),
            ("attributes.tags", "eq", text("b"), true),
            (
                "attributes.tags",
                "all",
                list(&[text("b"), text("a")]),
                true,
            ),
            (
                "attributes.tags",
                "all",
                list(&[text("b"), text("c")]),
                false,
            ),
            ("members", "eq", text("bob"), true),
            ("members", "not_in", list(&[text("carol")]), true),
        ];
        for (field, op, value, expected) in cases {
            let filter = Filter::parse(&condition(field, op, value)).unwrap();
            assert_eq!(filter.holds(&document()), expected, "{filter:?}");
        }
    }

    #[test]
    fn conditions_are_put_together() {
        let yes = || condition("name", "eq", text("Geese"));
        let no = || condition("name", "eq", text("Ducks"));
        let holds = |json: Json| Filter::parse(&json).unwrap().holds(&document());
        assert!(holds(object(&[])));
        assert!(!holds(object(&[("all", list(&[yes(), no()]))])));
        assert!(holds(object(&[("any", list(&[no(), yes()]))])));
        assert!(!holds(object(&[("any", list(&[]))])));
        assert!(holds(object(&[("not", no())])));
    }

    #[test]
    fn a_query_tells_whose_conversations_to_look_at() {
        let of = |json: Json| Filter::parse(&json).unwrap();
        let bob = condition("members", "eq", text("bob"));
        let both = condition("members", "all", list(&[text("bob"), text("carol")]));
        let nested = of(object(&[(
            "all",
            list(&[condition("name", "eq", text("x")), bob.clone()]),
        )]));
        assert_eq!(nested.narrowest(), UserId::new("bob").ok());
        assert_eq!(of(both.clone()).members().len(), 2);
        let either = of(object(&[("any", list(&[bob, both]))]));
        assert_eq!((either.narrowest(), either.members().len()), (None, 2));
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        let many = vec![condition("name", "eq", text("x")); QUERY_CONDITIONS_MAX + 1];
        let deep = (0..=QUERY_DEPTH_MAX).fold(condition("name", "eq", text("x")), |inner, _| {
            object(&[("not", inner)])
        });
        let bad = [
            text("name"),
            list(&[]),
            object(&[("all", text("x"))]),
            object(&[("every", list(&[]))]),
            object(&[("field", text("name"))]),
            condition("nothing", "eq", text("x")),
            condition("attributes.", "eq", text("x")),
            condition("name", "like", text("x")),
            condition("name", "in", text("x")),
            condition("name", "exists", text("x")),
            condition("name", "prefix", Json::Integer(1)),
            condition("members", "prefix", text("b")),
            object(&[("all", list(&many))]),
            object(&[("all", list(&vec![object(&[]); QUERY_CONDITIONS_MAX]))]),
            deep,
        ];
        for json in bad {
            assert_eq!(
                Filter::parse(&json).unwrap_err().code,
                Code::InvalidRequest,
                "{json:?}"
            );
        }
    }

    #[test]
    fn an_answer_is_sorted_by_several_fields_either_way() {
        let sorting = |fields: &[&str]| {
            let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
            Sorting::parse(&fields)
        };
        let one = object(&[("name", text("a")), ("last_time", Json::Integer(1))]);
        let two = object(&[("name", text("a")), ("last_time", Json::Integer(2))]);
        let none = object(&[]);
        let order = |fields: &[&str], a: &Json, b: &Json| {
            let sorting = sorting(fields).unwrap();
            sorting.order(&sorting.key(a), &sorting.key(b))
        };
        assert_eq!(order(&[], &one, &two), Ordering::Greater, "newest first");
        assert_eq!(order(&["name", "last_time"], &one, &two), Ordering::Less);
        assert_eq!(order(&["-name"], &one, &two), Ordering::Equal);
        assert_eq!(order(&["name"], &none, &one), Ordering::Less);
        assert!(sorting(&["members"]).is_err() && sorting(&["what"]).is_err());
    }
}
