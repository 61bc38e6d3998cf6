//! Block lists, silences and broadcasts of conversations, and block lists of clients.
//!
//! The interfaces were documented in older chapters and still exist for applications that use the
//! features: `GET /1.2/rtm/{conversations|chatrooms|service-conversations}/<id>/blacklists`,
//! `…/permanent-silenceds`, `GET /1.2/rtm/broadcasts?conv_id=<id>`, `GET
//! /1.2/rtm/clients/<id>/blacklists`. Where a feature is switched off the source says so (4544) and is
//! not asked again. Temporary silences (24 hours at most) cannot be read at all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Run;
use super::derived::{Subject, renew};
use crate::api::{Api, ApiError, Call, escape};
use crate::civil::parse_iso;
use crate::error::Error;
use crate::layout::{CLIENT_LISTS, CONVERSATION_LISTS, class_unit};
use crate::rows::{Kind, ObjectHead, Row};
use crate::segment::Rows;

/// Entries of a page.
const PAGE: usize = 100;
/// More pages than any list can have (10,000 entries in a chat room).
const PAGES_MAX: usize = 1000;
/// `BLACKLIST_FEATURE_DISABLED`.
const FEATURE_DISABLED: i64 = 4544;

/// The four sorts of conversations that are in `_Conversation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Sort {
    Conversation,
    Chatroom,
    Service,
}

impl Sort {
    pub(crate) fn route(self) -> &'static str {
        match self {
            Self::Conversation => "conversations",
            Self::Chatroom => "chatrooms",
            Self::Service => "service-conversations",
        }
    }
}

/// What of a conversation's row is used here.
#[derive(Deserialize)]
pub(crate) struct Flags {
    #[serde(default)]
    tr: Option<bool>,
    #[serde(default)]
    sys: Option<bool>,
}

impl Flags {
    pub(crate) fn sort(&self) -> Sort {
        match (self.sys, self.tr) {
            (Some(true), _) => Sort::Service,
            (_, Some(true)) => Sort::Chatroom,
            _ => Sort::Conversation,
        }
    }
}

/// A conversation and when it last changed.
pub(crate) struct Conversation {
    pub(crate) sort: Sort,
    changed: i64,
}

/// A row of the unit.
#[derive(Default, Serialize, Deserialize)]
struct Lists {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sort: Option<Sort>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    silenced: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked_conversations: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    broadcasts: Option<Vec<Value>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    failed: BTreeMap<String, String>,
}

impl Lists {
    fn row(&self) -> Row {
        let line = serde_json::to_vec(self).expect("plain structs always serialize");
        Row {
            time: 0,
            id: self.id.clone(),
            line,
        }
    }
}

/// Conversations of the archive in the order of their ids.
pub(crate) fn conversations(
    run: &Run,
) -> Result<impl Iterator<Item = Result<Subject<Conversation>, Error>> + Send + use<>, Error> {
    Ok(class_rows(run, "_Conversation")?.map(|row| {
        let row = row?;
        let flags = serde_json::from_slice::<Flags>(&row.line);
        let head = serde_json::from_slice::<ObjectHead<'_>>(&row.line);
        let changed = head
            .ok()
            .and_then(|head| head.updated_at.and_then(|at| parse_iso(&at)));
        let sort = flags.map_or(Sort::Conversation, |flags| flags.sort());
        Ok(Subject {
            id: row.id,
            what: Conversation {
                sort,
                changed: changed.unwrap_or(i64::MAX),
            },
        })
    }))
}

/// Rows of a class in the archive; none if it is not there.
pub(crate) fn class_rows(
    run: &Run,
    class: &str,
) -> Result<impl Iterator<Item = Result<Row, Error>> + Send + use<>, Error> {
    let path = run.layout.rows(&class_unit(class));
    let rows = path
        .exists()
        .then(|| Rows::open(&path, Kind::Objects))
        .transpose()?;
    Ok(rows.into_iter().flatten())
}

/// Reads the lists of every conversation that is new, has changed, or failed the last time.
pub(crate) async fn read_conversations(run: &Run, api: &Api) -> Result<(), Error> {
    let through = run
        .state()
        .manifest
        .units
        .get(CONVERSATION_LISTS)
        .map(|unit| unit.through);
    let source = Source {
        run,
        api,
        off: Mutex::default(),
    };
    let refresh = run.args.refresh;
    let keep = |row: &Row, subject: &Subject<Conversation>| {
        let unchanged = through.is_some_and(|through| subject.what.changed < through);
        !refresh && unchanged && !has_failed(row)
    };
    let fetch = |subject: Subject<Conversation>| source.conversation(subject.id, subject.what.sort);
    renew(
        run,
        CONVERSATION_LISTS,
        api.parallel(),
        conversations(run)?,
        keep,
        fetch,
    )
    .await?;
    source.report();
    report_failures(run, CONVERSATION_LISTS)
}

/// Reads which conversations each client has blocked. The clients are the members and creators of
/// conversations, held in memory: about 60 bytes each.
pub(crate) async fn read_clients(run: &Run, api: &Api) -> Result<(), Error> {
    #[derive(Deserialize)]
    struct Members {
        #[serde(default)]
        m: Option<Vec<String>>,
        #[serde(default)]
        c: Option<String>,
    }
    let mut clients = BTreeSet::new();
    for row in class_rows(run, "_Conversation")? {
        if let Ok(members) = serde_json::from_slice::<Members>(&row?.line) {
            clients.extend(members.m.into_iter().flatten().chain(members.c));
        }
    }
    let source = Source {
        run,
        api,
        off: Mutex::default(),
    };
    let subjects = clients.into_iter().map(|id| Ok(Subject { id, what: () }));
    let keep = |row: &Row, _: &Subject<()>| !run.args.refresh && !has_failed(row);
    let fetch = |subject: Subject<()>| source.client(subject.id);
    renew(run, CLIENT_LISTS, api.parallel(), subjects, keep, fetch).await?;
    source.report();
    report_failures(run, CLIENT_LISTS)
}

fn has_failed(row: &Row) -> bool {
    serde_json::from_slice::<Lists>(&row.line).map_or(true, |lists| !lists.failed.is_empty())
}

/// Counts the lists that could not be had, by reason.
fn report_failures(run: &Run, unit: &str) -> Result<(), Error> {
    let path = run.layout.rows(unit);
    if !path.exists() {
        return Ok(());
    }
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    for row in Rows::open(&path, Kind::Lists)? {
        if let Ok(lists) = serde_json::from_slice::<Lists>(&row?.line) {
            for (list, reason) in lists.failed {
                *reasons.entry(format!("{list}: {reason}")).or_default() += 1;
            }
        }
    }
    for (reason, count) in reasons {
        run.missing_many(unit, &reason, count);
    }
    Ok(())
}

struct Source<'a> {
    run: &'a Run,
    api: &'a Api,
    /// Lists that the source does not have for this application, with what it said.
    off: Mutex<BTreeMap<String, String>>,
}

impl Source<'_> {
    async fn conversation(&self, id: String, sort: Sort) -> Result<Row, Error> {
        let base = format!("/1.2/rtm/{}/{}", sort.route(), escape(&id));
        let mut lists = Lists {
            id,
            sort: Some(sort),
            ..Lists::default()
        };
        let blocked = self
            .list(
                &format!("{}/blocked", sort.route()),
                &format!("{base}/blacklists"),
            )
            .await;
        lists.blocked = noted(blocked, "blocked", &mut lists.failed)?;
        if sort != Sort::Service {
            let name = format!("{}/silenced", sort.route());
            let silenced = self
                .list(&name, &format!("{base}/permanent-silenceds"))
                .await;
            lists.silenced = noted(silenced, "silenced", &mut lists.failed)?;
        } else {
            let broadcasts = self.broadcasts(&lists.id).await.map(Some);
            lists.broadcasts = noted(broadcasts, "broadcasts", &mut lists.failed)?;
        }
        Ok(lists.row())
    }

    async fn client(&self, id: String) -> Result<Row, Error> {
        let path = format!("/1.2/rtm/clients/{}/blacklists", escape(&id));
        let mut lists = Lists {
            id,
            ..Lists::default()
        };
        let blocked = self.list("clients/blocked", &path).await;
        lists.blocked_conversations = noted(blocked, "blocked", &mut lists.failed)?;
        Ok(lists.row())
    }

    /// A list page by page; `None` if the application does not have the feature.
    async fn list(&self, name: &str, path: &str) -> Result<Option<Vec<String>>, ApiError> {
        #[derive(Deserialize)]
        struct Page {
            #[serde(alias = "conv_ids")]
            client_ids: Vec<String>,
            #[serde(default)]
            next: Option<String>,
        }
        if self.off().contains_key(name) {
            return Ok(None);
        }
        let (mut all, mut next): (Vec<String>, Option<String>) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let call = |_| match &next {
                Some(next) => Call::new(path).with("limit", PAGE).with("next", next),
                None => Call::new(path).with("limit", PAGE),
            };
            let parse =
                |body: &[u8]| serde_json::from_slice::<Page>(body).map_err(|e| e.to_string());
            let page = match self.api.get(call, parse).await {
                Ok(page) => page,
                Err(ApiError::Refused {
                    code: FEATURE_DISABLED,
                    message,
                    ..
                }) => {
                    self.off()
                        .insert(name.to_owned(), format!("switched off: {message}"));
                    return Ok(None);
                }
                Err(error) => return Err(error),
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
    async fn broadcasts(&self, conversation: &str) -> Result<Vec<Value>, ApiError> {
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
        let mut all: Vec<Value> = Vec::new();
        for _ in 0..PAGES_MAX {
            let skip = all.len();
            let call = |_| {
                let call = Call::new("/1.2/rtm/broadcasts").with("conv_id", conversation);
                call.with("limit", PAGE).with("skip", skip)
            };
            let page = self.api.get(call, parse).await?;
            let last = page.len() < PAGE;
            all.extend(page);
            if last {
                break;
            }
        }
        Ok(all)
    }

    fn report(&self) {
        for (name, reason) in self.off().iter() {
            self.run.note(name, reason);
        }
    }

    fn off(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.off.lock().expect("nothing panics while it holds this")
    }
}

/// Puts a failure into the row, so that the next run tries again, unless it concerns every request.
fn noted<T>(
    result: Result<Option<T>, ApiError>,
    list: &str,
    failed: &mut BTreeMap<String, String>,
) -> Result<Option<T>, Error> {
    match result {
        Ok(value) => Ok(value),
        Err(error @ ApiError::Unauthorized(_)) => Err(error.into()),
        Err(ApiError::GaveUp { last, .. }) => {
            // Without the number of attempts, which would differ from run to run.
            failed.insert(list.to_owned(), format!("given up: {last}"));
            Ok(None)
        }
        Err(error) => {
            failed.insert(list.to_owned(), error.to_string());
            Ok(None)
        }
    }
}
