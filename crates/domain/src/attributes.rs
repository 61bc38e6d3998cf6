//! Nested attributes of created conversations: JSON values, and changes of them by path.
//!
//! A path is the keys from the outside in, with dots between: `game.round`. Setting makes the
//! objects that are missing on the way, and refuses to go through anything that is none; removing
//! what is not there changes nothing. Within one change, what is removed goes first. How a value
//! is written down is not known here.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::code::{Code, Reject};
use crate::limits::{
    ATTRIBUTE_PATH_BYTES_MAX, ATTRIBUTE_PATHS_MAX, NESTED_ATTRIBUTES_BYTES_MAX,
    NESTED_ATTRIBUTES_DEPTH_MAX,
};

/// A JSON value.
#[derive(Clone, PartialEq, Debug, Default)]
pub enum Json {
    /// `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number without a fraction.
    Integer(i64),
    /// Any other number; JSON has no NaN.
    Real(f64),
    /// A string.
    Text(String),
    /// A list.
    Array(Vec<Json>),
    /// Values by key.
    Object(Object),
}

/// The members of a JSON object.
pub type Object = BTreeMap<String, Json>;

// Without NaN, every value equals itself.
impl Eq for Json {}

impl Json {
    /// The value at a path; `None` where there is none.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&Self> {
        path.split('.').try_fold(self, |value, key| match value {
            Self::Object(object) => object.get(key),
            _ => None,
        })
    }

    /// Objects and arrays around the innermost value, this one included; 0 for a plain value.
    #[must_use]
    pub fn depth(&self) -> usize {
        match self {
            Self::Array(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Self::Object(object) => 1 + object.values().map(Self::depth).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// Bytes of all keys and strings, and 8 for every value.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Null | Self::Bool(_) | Self::Integer(_) | Self::Real(_) => 8,
            Self::Text(text) => 8 + text.len(),
            Self::Array(items) => 8 + items.iter().map(Self::size).sum::<usize>(),
            Self::Object(object) => {
                let members = object.iter();
                8 + members
                    .map(|(key, it)| key.len() + it.size())
                    .sum::<usize>()
            }
        }
    }

    /// Which is greater; `None` for values that have no order between them. Numbers compare as
    /// numbers, strings by their bytes.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "a comparison with a real number"
    )]
    pub fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => Some(a.cmp(b)),
            (Self::Real(a), Self::Real(b)) => a.partial_cmp(b),
            (Self::Integer(a), Self::Real(b)) => (*a as f64).partial_cmp(b),
            (Self::Real(a), Self::Integer(b)) => a.partial_cmp(&(*b as f64)),
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::Null, Self::Null) => Some(Ordering::Equal),
            _ => None,
        }
    }

    /// The same value? Numbers compare as numbers.
    #[must_use]
    pub fn equals(&self, other: &Self) -> bool {
        self == other || self.order(other) == Some(Ordering::Equal)
    }
}

/// Are these attributes within the limits?
pub fn check(attributes: &Object) -> Result<(), Reject> {
    let depth = attributes.values().map(Json::depth).max().unwrap_or(0) + 1;
    if depth > NESTED_ATTRIBUTES_DEPTH_MAX {
        let message =
            format!("attributes are nested at most {NESTED_ATTRIBUTES_DEPTH_MAX} levels deep");
        return Err(Reject::new(Code::InvalidRequest, message));
    }
    let size: usize = attributes
        .iter()
        .map(|(key, it)| key.len() + it.size())
        .sum();
    if size > NESTED_ATTRIBUTES_BYTES_MAX {
        let message =
            format!("attributes are at most {NESTED_ATTRIBUTES_BYTES_MAX} bytes together");
        return Err(Reject::new(Code::InvalidRequest, message));
    }
    Ok(())
}

/// Changes of attributes by path.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct PathChange {
    /// Set to these values.
    pub set: BTreeMap<String, Json>,
    /// Removed, before anything is set.
    pub unset: Vec<String>,
}

impl PathChange {
    /// Asks for nothing?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.unset.is_empty()
    }

    /// The attributes after the change.
    pub fn apply(&self, old: &Object) -> Result<Object, Reject> {
        if self.set.len() + self.unset.len() > ATTRIBUTE_PATHS_MAX {
            let message = format!("at most {ATTRIBUTE_PATHS_MAX} paths at once");
            return Err(Reject::new(Code::InvalidRequest, message));
        }
        // The notice of the change carries all of it, what is overwritten by a later path too.
        check(&self.set)?;
        let mut new = old.clone();
        for path in &self.unset {
            check_path(path)?;
            unset(&mut new, path);
        }
        for (path, value) in &self.set {
            check_path(path)?;
            set(&mut new, path, value)?;
        }
        check(&new)?;
        Ok(new)
    }

    /// What the change touches, as it is after it: values by path, those that are gone are null.
    #[must_use]
    pub fn outcome(&self) -> Object {
        let gone = self.unset.iter().map(|path| (path.clone(), Json::Null));
        let set = self.set.iter();
        gone.chain(set.map(|(path, value)| (path.clone(), value.clone())))
            .collect()
    }
}

/// Is it a path?
pub fn check_path(path: &str) -> Result<(), Reject> {
    let form = path.len() <= ATTRIBUTE_PATH_BYTES_MAX
        && !path.chars().any(char::is_control)
        && path.split('.').all(|key| !key.is_empty());
    if form {
        return Ok(());
    }
    let message = format!(
        "a path is 1–{ATTRIBUTE_PATH_BYTES_MAX} bytes, printable: keys with dots between, none empty"
    );
    Err(Reject::new(Code::InvalidRequest, message))
}

fn set(object: &mut Object, path: &str, value: &Json) -> Result<(), Reject> {
    let Some((key, rest)) = path.split_once('.') else {
        object.insert(path.to_owned(), value.clone());
        return Ok(());
    };
    let inner = object
        .entry(key.to_owned())
        .or_insert_with(|| Json::Object(Object::new()));
    match inner {
        Json::Object(inner) => set(inner, rest, value),
        _ => Err(Reject::new(
            Code::InvalidRequest,
            format!("the attribute {key:?} is not an object, so nothing can be set inside it"),
        )),
    }
}

fn unset(object: &mut Object, path: &str) {
    match path.split_once('.') {
        None => drop(object.remove(path)),
        Some((key, rest)) => {
            if let Some(Json::Object(inner)) = object.get_mut(key) {
                unset(inner, rest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(text: &str) -> Json {
        Json::Text(text.to_owned())
    }

    fn change(set: &[(&str, Json)], unset: &[&str]) -> PathChange {
        PathChange {
            set: set
                .iter()
                .map(|(path, it)| ((*path).to_owned(), it.clone()))
                .collect(),
            unset: unset.iter().map(|path| (*path).to_owned()).collect(),
        }
    }

    #[test]
    fn setting_by_path_makes_what_is_missing_and_never_goes_through_a_plain_value() {
        let one = change(
            &[("game.round", Json::Integer(1)), ("topic", text("geese"))],
            &[],
        );
        let attributes = one.apply(&Object::new()).unwrap();
        let whole = Json::Object(attributes.clone());
        assert_eq!(whole.at("game.round"), Some(&Json::Integer(1)));
        assert_eq!(whole.at("game.none"), None);
        assert_eq!(whole.at("topic.deeper"), None);
        let through = change(&[("topic.deeper", Json::Null)], &[]);
        assert_eq!(
            through.apply(&attributes).unwrap_err().code,
            Code::InvalidRequest
        );
        let moved = change(&[("topic.deeper", Json::Null)], &["topic"]);
        assert!(
            moved.apply(&attributes).is_ok(),
            "what is removed goes first"
        );
        let gone = change(&[], &["game.round", "nothing.here"])
            .apply(&attributes)
            .unwrap();
        assert_eq!(
            Json::Object(gone).at("game"),
            Some(&Json::Object(Object::new()))
        );
    }

    #[test]
    fn a_change_says_what_it_came_to() {
        let it = change(&[("a.b", Json::Bool(true))], &["c", "a.b"]);
        let outcome = it.outcome();
        assert_eq!(outcome.get("a.b"), Some(&Json::Bool(true)));
        assert_eq!(outcome.get("c"), Some(&Json::Null));
    }

    #[test]
    fn attributes_have_a_size_and_a_depth() {
        let nest =
            |levels: usize| (0..levels).fold(Json::Null, |inner, _| Json::Array(vec![inner]));
        let deep = |levels| change(&[("a", nest(levels))], &[]).apply(&Object::new());
        assert!(deep(NESTED_ATTRIBUTES_DEPTH_MAX - 1).is_ok());
        assert!(deep(NESTED_ATTRIBUTES_DEPTH_MAX).is_err());
        let large = |bytes: usize| change(&[("a", text(&"x".repeat(bytes)))], &[]);
        let apply = |bytes| large(bytes).apply(&Object::new());
        assert!(apply(NESTED_ATTRIBUTES_BYTES_MAX - 9).is_ok());
        assert!(apply(NESTED_ATTRIBUTES_BYTES_MAX - 8).is_err());
        let empty = Json::Array(vec![text(""); NESTED_ATTRIBUTES_BYTES_MAX / 8]);
        assert!(change(&[("a", empty)], &[]).apply(&Object::new()).is_err());
        for path in ["", ".", "a.", ".a", "a..b", "a\n"] {
            assert!(check_path(path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn numbers_compare_as_numbers_and_kinds_never_mix() {
        assert!(Json::Integer(2).equals(&Json::Real(2.0)));
        assert_eq!(
            Json::Integer(2).order(&Json::Real(2.5)),
            Some(Ordering::Less)
        );
        assert_eq!(text("a").order(&text("b")), Some(Ordering::Less));
        assert_eq!(text("1").order(&Json::Integer(1)), None);
        assert!(!Json::Null.equals(&Json::Bool(false)));
    }

    proptest! {
        #[test]
        fn what_was_set_is_found_and_what_was_unset_is_not(path in "[ab]{1,2}(\\.[ab]{1,2}){0,3}", n: i64) {
            let set = change(&[(&path, Json::Integer(n))], &[]).apply(&Object::new()).unwrap();
            let whole = Json::Object(set.clone());
            prop_assert_eq!(whole.at(&path), Some(&Json::Integer(n)));
            let gone = Json::Object(change(&[], &[&path]).apply(&set).unwrap());
            prop_assert_eq!(gone.at(&path), None);
        }
    }
}
