//! Block lists, silences and broadcasts of conversations, and block lists of clients: a row each.
//!
//! Temporary silences (24 hours at most) cannot be read at all.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Run;
use super::derived::{Subject, renew};
use super::list_source::ListSource;
use crate::api::{Api, ApiError, escape};
use crate::civil::parse_iso;
use crate::error::Error;
use crate::layout::{CLIENT_LISTS, CONVERSATION_LISTS, class_unit};
use crate::rows::{Kind, ObjectHead, Row};
use crate::segment::Rows;

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
    let source = ListSource::new(run, api);
    let refresh = run.args.refresh;
    let keep = |row: &Row, subject: &Subject<Conversation>| {
        let unchanged = through.is_some_and(|through| subject.what.changed < through);
        !refresh && unchanged && !has_failed(row)
    };
    let fetch =
        |subject: Subject<Conversation>| conversation(&source, subject.id, subject.what.sort);
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
    let source = ListSource::new(run, api);
    let subjects = clients.into_iter().map(|id| Ok(Subject { id, what: () }));
    let keep = |row: &Row, _: &Subject<()>| !run.args.refresh && !has_failed(row);
    let fetch = |subject: Subject<()>| client(&source, subject.id);
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

/// Makes the row of a conversation.
async fn conversation(source: &ListSource<'_>, id: String, sort: Sort) -> Result<Row, Error> {
    let route = sort.route();
    let base = format!("/1.2/rtm/{route}/{}", escape(&id));
    let mut lists = Lists {
        id,
        sort: Some(sort),
        ..Lists::default()
    };
    let blocked = source
        .ids(&format!("{route}/blocked"), &format!("{base}/blacklists"))
        .await;
    lists.blocked = noted(blocked, "blocked", &mut lists.failed)?;
    if sort == Sort::Service {
        let broadcasts = source.broadcasts(&lists.id).await;
        lists.broadcasts = noted(broadcasts, "broadcasts", &mut lists.failed)?;
    } else {
        let path = format!("{base}/permanent-silenceds");
        let silenced = source.ids(&format!("{route}/silenced"), &path).await;
        lists.silenced = noted(silenced, "silenced", &mut lists.failed)?;
    }
    Ok(lists.row())
}

/// Makes the row of a client.
async fn client(source: &ListSource<'_>, id: String) -> Result<Row, Error> {
    let path = format!("/1.2/rtm/clients/{}/blacklists", escape(&id));
    let mut lists = Lists {
        id,
        ..Lists::default()
    };
    let blocked = source.ids("clients/blocked", &path).await;
    lists.blocked_conversations = noted(blocked, "blocked", &mut lists.failed)?;
    Ok(lists.row())
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
