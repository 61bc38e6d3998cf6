//! Fetches one list of a conversation or client, page by page, and knows when to stop asking.
//!
//! The interfaces were documented in older chapters and exist for applications that use the features:
//! `GET /1.2/rtm/{conversations|chatrooms|service-conversations}/<id>/blacklists`,
//! `…/permanent-silenceds`, `GET /1.2/rtm/broadcasts?conv_id=<id>`, `GET
//! /1.2/rtm/clients/<id>/blacklists`. An application that does not have one would be asked in vain
//! once for each conversation, so a list that was refused [`REFUSALS_MAX`] times and never given is
//! not asked for again in this run.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use serde::Deserialize;
use serde_json::Value;

use super::Run;
use crate::api::{Api, ApiError, Call};

/// Entries of a page.
const PAGE: usize = 100;
/// More pages than any list can have (10,000 entries in a chat room).
const PAGES_MAX: usize = 1000;
/// Refusals without a single answer after which a list is no longer asked for.
const REFUSALS_MAX: u32 = 20;
/// `BLACKLIST_FEATURE_DISABLED`.
const FEATURE_DISABLED: i64 = 4544;

/// Fetches lists.
pub(crate) struct ListSource<'a> {
    run: &'a Run,
    api: &'a Api,
    /// By name of the list.
    experience: Mutex<BTreeMap<String, Experience>>,
}

/// What asking for a list has brought so far.
#[derive(Default)]
struct Experience {
    given: bool,
    refused: u32,
    /// The source has no such list, in its words.
    absent: Option<String>,
    /// It is no longer asked for, for this reason.
    off: Option<ApiError>,
}

impl<'a> ListSource<'a> {
    pub(crate) fn new(run: &'a Run, api: &'a Api) -> Self {
        Self {
            run,
            api,
            experience: Mutex::default(),
        }
    }

    /// A list of ids in order; `None` if the source has none.
    pub(crate) async fn ids(
        &self,
        name: &str,
        path: &str,
    ) -> Result<Option<Vec<String>>, ApiError> {
        #[derive(Deserialize)]
        struct Page {
            #[serde(alias = "conv_ids")]
            client_ids: Vec<String>,
            #[serde(default)]
            next: Option<String>,
        }
        let parse = |body: &[u8]| serde_json::from_slice::<Page>(body).map_err(|e| e.to_string());
        if !self.is_worth_asking(name)? {
            return Ok(None);
        }
        let (mut all, mut next): (Vec<String>, Option<String>) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let call = |_| match &next {
                Some(next) => Call::new(path).with("limit", PAGE).with("next", next),
                None => Call::new(path).with("limit", PAGE),
            };
            let Some(page) = self.learn(name, self.api.get(call, parse).await)? else {
                return Ok(None);
            };
            all.extend(page.client_ids);
            match page
                .next
                .filter(|token| !token.is_empty() && Some(token) != next.as_ref())
            {
                Some(token) => next = Some(token),
                None => break,
            }
        }
        // The source gives no order.
        all.sort();
        all.dedup();
        Ok(Some(all))
    }

    /// Broadcasts still in force. The form of the answer is not documented; both likely ones are read.
    pub(crate) async fn broadcasts(
        &self,
        conversation: &str,
    ) -> Result<Option<Vec<Value>>, ApiError> {
        let parse = |body: &[u8]| match serde_json::from_slice(body) {
            Ok(Value::Array(rows)) => Ok(rows),
            Ok(Value::Object(mut fields)) => {
                match fields.remove("results").or(fields.remove("result")) {
                    Some(Value::Array(rows)) => Ok(rows),
                    _ => Err("no list of broadcasts".to_owned()),
                }
            }
            Ok(_) => Err("no list of broadcasts".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        if !self.is_worth_asking("broadcasts")? {
            return Ok(None);
        }
        let mut all: Vec<Value> = Vec::new();
        for _ in 0..PAGES_MAX {
            let skip = all.len();
            let call = |_| {
                let call = Call::new("/1.2/rtm/broadcasts").with("conv_id", conversation);
                call.with("limit", PAGE).with("skip", skip)
            };
            let Some(page) = self.learn("broadcasts", self.api.get(call, parse).await)? else {
                return Ok(None);
            };
            let last = page.len() < PAGE;
            all.extend(page);
            if last {
                break;
            }
        }
        Ok(Some(all))
    }

    /// Whether it makes sense to ask for a list; the error is the reason why it could not be had.
    fn is_worth_asking(&self, name: &str) -> Result<bool, ApiError> {
        match self
            .experience()
            .get(name)
            .and_then(|list| list.off.clone())
        {
            Some(reason) if means_none(&reason) => Ok(false),
            Some(reason) => Err(reason),
            None => Ok(true),
        }
    }

    /// Takes note of an answer. `None` means that the source has no such list.
    fn learn<T>(&self, name: &str, answer: Result<T, ApiError>) -> Result<Option<T>, ApiError> {
        let mut experience = self.experience();
        let list = experience.entry(name.to_owned()).or_default();
        let error = match answer {
            Ok(page) => {
                list.given = true;
                return Ok(Some(page));
            }
            Err(error) => error,
        };
        if means_none(&error) {
            list.absent = Some(error.to_string());
        }
        if matches!(error, ApiError::Refused { .. }) {
            list.refused += 1;
            if !list.given && list.refused >= REFUSALS_MAX {
                list.off = Some(error.clone());
            }
        }
        if means_none(&error) {
            Ok(None)
        } else {
            Err(error)
        }
    }

    /// Notes the lists that the source does not have.
    pub(crate) fn report(&self) {
        for (name, list) in self.experience().iter() {
            if let Some(reason) = &list.absent {
                self.run
                    .note(name, &format!("the source has none: {reason}"));
            }
        }
    }

    fn experience(&self) -> MutexGuard<'_, BTreeMap<String, Experience>> {
        self.experience
            .lock()
            .expect("nothing panics while it holds this")
    }
}

/// The conversation, the interface, or the feature does not exist.
fn means_none(error: &ApiError) -> bool {
    let disabled = matches!(
        error,
        ApiError::Refused {
            code: FEATURE_DISABLED,
            ..
        }
    );
    disabled || error.is_absent()
}
