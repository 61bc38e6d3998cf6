//! A `where` as it is understood.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::pattern::Pattern;
use crate::leancloud::error::{Kind, Refusal};

/// Conditions of one `where`, and besides so many groups of them.
const CONDITIONS_MAX: usize = 64;
/// Groups in groups.
const DEPTH_MAX: usize = 8;
/// Values that one condition compares with. SDKs ask for 999 conversations by id.
const VALUES_MAX: usize = 1_000;
/// Bytes of a field's name with its dots.
const PATH_BYTES_MAX: usize = 256;

/// Kilometres of a radian on the ground.
const EARTH_KILOMETERS: f64 = 6_371.0;
/// Miles of a radian on the ground.
const EARTH_MILES: f64 = 3_958.8;

/// What must hold.
#[derive(Clone, Debug)]
pub enum Clause {
    /// All of them; of none, always.
    All(Vec<Clause>),
    /// One of them at least.
    Any(Vec<Clause>),
    /// A condition.
    One(Condition),
}

/// What a field must be.
#[derive(Clone, Debug)]
pub struct Condition {
    /// Its name, with dots on the way inside.
    pub path: String,
    /// What is asked of it.
    pub test: Test,
}

/// A place on earth, in degrees.
#[derive(Copy, Clone, PartialEq, Debug)]
pub struct Point {
    /// North is positive.
    pub latitude: f64,
    /// East is positive.
    pub longitude: f64,
}

/// What is asked of a field.
#[derive(Clone, Debug)]
pub enum Test {
    /// The same value, or an array that contains it; null: not there.
    Equal(Value),
    /// Not that.
    NotEqual(Value),
    /// Less, of the same kind.
    Less(Value),
    /// Less, or the same.
    LessOrEqual(Value),
    /// Greater, of the same kind.
    Greater(Value),
    /// Greater, or the same.
    GreaterOrEqual(Value),
    /// Is there, or is not.
    Exists(bool),
    /// Equal to one of them.
    In(Vec<Value>),
    /// Equal to none of them.
    NotIn(Vec<Value>),
    /// An array with all of them.
    AllOf(Vec<Value>),
    /// An array of so many.
    Size(u64),
    /// A text in which the pattern is found.
    Matches(Pattern),
    /// A place so near to this one, in radians; the nearest come first.
    Near(Point, f64),
    /// A place between the south-west and the north-east corner.
    Within(Point, Point),
}

fn refuse<T>(detail: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(Kind::ConversationQueryFailed, detail.into()))
}

struct Room {
    conditions: usize,
    groups: usize,
}

fn take(left: &mut usize, noun: &str) -> Result<(), Refusal> {
    match left.checked_sub(1) {
        Some(rest) => *left = rest,
        None => return refuse(format!("a where has at most {CONDITIONS_MAX} {noun}")),
    }
    Ok(())
}

impl Clause {
    /// Reads a `where`.
    ///
    /// # Errors
    /// 4310 says what is wrong, or which limit it breaks.
    pub fn parse(value: &Value) -> Result<Self, Refusal> {
        let mut room = Room {
            conditions: CONDITIONS_MAX,
            groups: CONDITIONS_MAX,
        };
        Self::read(value, DEPTH_MAX, &mut room)
    }

    /// Reads the text of a `where`; an empty one holds always.
    ///
    /// # Errors
    /// 4310, as for [`Self::parse`].
    pub fn parse_text(text: &str) -> Result<Self, Refusal> {
        if text.trim().is_empty() {
            return Ok(Self::All(Vec::new()));
        }
        match serde_json::from_str(text) {
            Ok(value) => Self::parse(&value),
            Err(error) => refuse(format!("where is no JSON: {error}")),
        }
    }

    fn read(value: &Value, depth: usize, room: &mut Room) -> Result<Self, Refusal> {
        let Value::Object(fields) = value else {
            return refuse("a where is a JSON object");
        };
        take(&mut room.groups, "groups of conditions")?;
        if depth == 0 {
            return refuse(format!("a where is at most {DEPTH_MAX} levels deep"));
        }
        let mut all = Vec::new();
        for (name, value) in fields {
            if name == "$and" || name == "$or" {
                let Value::Array(items) = value else {
                    return refuse(format!("{name} takes an array"));
                };
                let inner: Result<Vec<Self>, Refusal> = items
                    .iter()
                    .map(|item| Self::read(item, depth - 1, room))
                    .collect();
                all.push(match name.as_str() {
                    "$and" => Self::All(inner?),
                    _ => Self::Any(inner?),
                });
                continue;
            }
            check_path(name)?;
            for test in tests(value)? {
                take(&mut room.conditions, "conditions")?;
                let path = name.clone();
                check_special(&path, &test)?;
                all.push(Self::One(Condition { path, test }));
            }
        }
        Ok(Self::All(all))
    }

    /// Asks for nothing in particular?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::All(inner) if inner.iter().all(Self::is_empty))
    }

    /// The conditions that hold whenever the whole does.
    pub fn musts(&self) -> Box<dyn Iterator<Item = &Condition> + '_> {
        match self {
            Self::All(inner) => Box::new(inner.iter().flat_map(Self::musts)),
            Self::Any(inner) if inner.len() == 1 => inner[0].musts(),
            Self::Any(_) => Box::new(std::iter::empty()),
            Self::One(condition) => Box::new(std::iter::once(condition)),
        }
    }

    /// Every text that a condition on members names: of the members, no others matter.
    #[must_use]
    pub fn members(&self) -> BTreeSet<&str> {
        match self {
            Self::All(inner) | Self::Any(inner) => inner.iter().flat_map(Self::members).collect(),
            Self::One(Condition { path, test }) if path == "m" => match test {
                Test::Equal(Value::Array(items))
                | Test::In(items)
                | Test::NotIn(items)
                | Test::AllOf(items) => items.iter().filter_map(Value::as_str).collect(),
                Test::Equal(one) | Test::NotEqual(one) => one.as_str().into_iter().collect(),
                _ => BTreeSet::new(),
            },
            Self::One(_) => BTreeSet::new(),
        }
    }

    /// The place that the nearest is asked for, and of which field.
    #[must_use]
    pub fn near(&self) -> Option<(&str, Point)> {
        self.musts().find_map(|condition| match condition.test {
            Test::Near(point, _) => Some((condition.path.as_str(), point)),
            _ => None,
        })
    }
}

fn check_path(path: &str) -> Result<(), Refusal> {
    if path.starts_with('$') {
        return refuse(format!("{path} is not known here"));
    }
    let parts = path.split('.').all(|part| !part.is_empty());
    if path.len() > PATH_BYTES_MAX || !parts || path.starts_with('_') {
        return refuse(format!("{path:?} is no name of a field"));
    }
    Ok(())
}

/// Members and mutes are not columns that are read with the rest.
fn check_special(path: &str, test: &Test) -> Result<(), Refusal> {
    if path == "mu" || path.starts_with("m.") || path.starts_with("mu.") {
        return refuse(format!("conversations are not found by {path}"));
    }
    let known = matches!(
        test,
        Test::Equal(_)
            | Test::NotEqual(_)
            | Test::In(_)
            | Test::NotIn(_)
            | Test::AllOf(_)
            | Test::Size(_)
            | Test::Exists(_)
    );
    match path == "m" && !known {
        true => refuse("m takes equality, $ne, $in, $nin, $all, $size and $exists"),
        false => Ok(()),
    }
}

/// What a value under a field's name asks of the field.
fn tests(value: &Value) -> Result<Vec<Test>, Refusal> {
    let operators = match value {
        Value::Object(members) if members.keys().any(|key| key.starts_with('$')) => members,
        plain => return Ok(vec![Test::Equal(plain.clone())]),
    };
    let mut tests = Vec::new();
    for (operator, value) in operators {
        let it = value.clone();
        tests.push(match operator.as_str() {
            "$eq" => Test::Equal(it),
            "$ne" => Test::NotEqual(it),
            "$lt" => Test::Less(it),
            "$lte" => Test::LessOrEqual(it),
            "$gt" => Test::Greater(it),
            "$gte" => Test::GreaterOrEqual(it),
            "$exists" => Test::Exists(truth(value)?),
            "$in" => Test::In(values(operator, value)?),
            "$nin" => Test::NotIn(values(operator, value)?),
            "$all" => Test::AllOf(values(operator, value)?),
            "$size" => match value.as_u64() {
                Some(size) => Test::Size(size),
                None => return refuse("$size takes a number"),
            },
            "$regex" => Test::Matches(pattern(value, operators.get("$options"))?),
            "$options" if operators.contains_key("$regex") => continue,
            "$nearSphere" => near(value, operators)?,
            "$maxDistanceInKilometers"
            | "$maxDistanceInMiles"
            | "$maxDistanceInRadians"
            | "$maxDistance"
                if operators.contains_key("$nearSphere") =>
            {
                continue;
            }
            "$within" => within(value)?,
            other => return refuse(format!("{other} is not known here")),
        });
    }
    Ok(tests)
}

fn truth(value: &Value) -> Result<bool, Refusal> {
    match (value, value.as_i64()) {
        (Value::Bool(it), _) => Ok(*it),
        (_, Some(number)) => Ok(number != 0),
        _ => refuse("$exists takes true or false"),
    }
}

fn values(operator: &str, value: &Value) -> Result<Vec<Value>, Refusal> {
    match value {
        Value::Array(items) if items.len() <= VALUES_MAX => Ok(items.clone()),
        _ => refuse(format!(
            "{operator} takes an array of at most {VALUES_MAX} values"
        )),
    }
}

fn pattern(value: &Value, options: Option<&Value>) -> Result<Pattern, Refusal> {
    let options = match options {
        None | Some(Value::Null) => "",
        Some(Value::String(options)) => options,
        Some(_) => return refuse("$options is a string"),
    };
    match value {
        Value::String(pattern) => Pattern::new(pattern, options).or_else(refuse),
        _ => refuse("$regex takes a string"),
    }
}

/// The place that a value is.
pub(super) fn point(value: &Value) -> Option<Point> {
    if value.get("__type")?.as_str()? != "GeoPoint" {
        return None;
    }
    let latitude = value.get("latitude")?.as_f64()?;
    let longitude = value.get("longitude")?.as_f64()?;
    let inside = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude);
    inside.then_some(Point {
        latitude,
        longitude,
    })
}

fn near(value: &Value, operators: &Map<String, Value>) -> Result<Test, Refusal> {
    let Some(point) = point(value) else {
        return refuse("$nearSphere takes a GeoPoint");
    };
    let mut most = std::f64::consts::PI;
    for (name, unit) in [
        ("$maxDistanceInKilometers", EARTH_KILOMETERS),
        ("$maxDistanceInMiles", EARTH_MILES),
        ("$maxDistanceInRadians", 1.0),
        ("$maxDistance", 1.0),
    ] {
        match operators.get(name).map(|it| it.as_f64()) {
            Some(Some(distance)) => most = most.min(distance / unit),
            Some(None) => return refuse(format!("{name} takes a number")),
            None => {}
        }
    }
    Ok(Test::Near(point, most))
}

fn within(value: &Value) -> Result<Test, Refusal> {
    let corners = value.get("$box").and_then(Value::as_array);
    match corners.map(Vec::as_slice) {
        Some([low, high]) => match (point(low), point(high)) {
            (Some(low), Some(high)) => Ok(Test::Within(low, high)),
            _ => refuse("$box takes two GeoPoints"),
        },
        _ => refuse("$within takes {\"$box\": [south-west, north-east]}"),
    }
}
