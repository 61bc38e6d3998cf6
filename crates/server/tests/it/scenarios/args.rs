//! What stands beside the name of a step. Each has to be looked at: a step that passed something
//! over would prove less than it says.

use std::collections::BTreeSet;
use std::sync::Mutex;

use serde_json::{Map, Value};

pub(super) struct Args {
    /// Of the two steps that have devices and nothing else.
    pub(super) devices: Vec<String>,
    all: Map<String, Value>,
    read: Mutex<BTreeSet<String>>,
}

impl Args {
    pub(super) fn new(args: &Value) -> Self {
        Self {
            devices: match args {
                Value::String(one) => vec![one.clone()],
                Value::Array(_) => super::strings(args),
                _ => Vec::new(),
            },
            all: args.as_object().cloned().unwrap_or_default(),
            read: Mutex::default(),
        }
    }

    /// What is said of something, if anything is.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.read.lock().unwrap().insert(key.to_owned());
        self.all.get(key)
    }

    /// Names of all but these; they count as looked at.
    pub(super) fn others(&self, but: &[&str]) -> Vec<String> {
        let others = self.all.keys().filter(|key| !but.contains(&key.as_str()));
        let others: Vec<String> = others.cloned().collect();
        self.read.lock().unwrap().extend(others.iter().cloned());
        others
    }

    pub(super) fn all_read(&self) -> Result<(), String> {
        let read = self.read.lock().unwrap();
        match self.all.keys().find(|key| !read.contains(*key)) {
            Some(key) => Err(format!("nothing looks at {key}")),
            None => Ok(()),
        }
    }

    /// Who does it: a device, or several at the same moment.
    pub(super) fn by(&self) -> Vec<String> {
        match self.get("by") {
            Some(Value::String(one)) => vec![one.clone()],
            Some(several) => super::strings(several),
            None => Vec::new(),
        }
    }

    pub(super) fn maybe_text(&self, key: &str) -> Option<String> {
        let value = self.get(key)?;
        Some(
            value
                .as_str()
                .unwrap_or_else(|| panic!("{key}: {value}"))
                .to_owned(),
        )
    }

    /// Empty if it is not said.
    pub(super) fn text(&self, key: &str) -> String {
        self.maybe_text(key).unwrap_or_default()
    }

    pub(super) fn maybe_number(&self, key: &str) -> Option<u64> {
        let value = self.get(key)?;
        Some(value.as_u64().unwrap_or_else(|| panic!("{key}: {value}")))
    }

    /// 0 if it is not said.
    pub(super) fn number(&self, key: &str) -> u64 {
        self.maybe_number(key).unwrap_or(0)
    }

    pub(super) fn small(&self, key: &str) -> u32 {
        u32::try_from(self.number(key)).unwrap()
    }

    pub(super) fn maybe_flag(&self, key: &str) -> Option<bool> {
        let value = self.get(key)?;
        Some(value.as_bool().unwrap_or_else(|| panic!("{key}: {value}")))
    }

    pub(super) fn flag(&self, key: &str) -> bool {
        self.maybe_flag(key).unwrap_or(false)
    }

    pub(super) fn texts(&self, key: &str) -> Vec<String> {
        self.get(key).map(super::strings).unwrap_or_default()
    }

    pub(super) fn numbers(&self, key: &str) -> Vec<u64> {
        let all = self.get(key).and_then(Value::as_array);
        let all = all.map(Vec::as_slice).unwrap_or_default();
        all.iter().map(|one| one.as_u64().unwrap()).collect()
    }

    /// Texts by key.
    pub(super) fn map(&self, key: &str) -> impl Iterator<Item = (String, String)> {
        let map = self.get(key).and_then(Value::as_object).cloned();
        let entries = map.unwrap_or_default().into_iter();
        entries.map(|(key, value)| (key, value.as_str().unwrap().to_owned()))
    }
}
