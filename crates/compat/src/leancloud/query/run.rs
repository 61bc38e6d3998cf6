//! Finding conversations.
//!
//! A `where` that names ids has them looked up; one that names a member looks at this user's
//! conversations; any other looks at all of the application's, as far as the engine's budget of
//! conversations and of time goes. What was found until then is the answer.

use std::collections::{BTreeMap, BTreeSet};

use anser_domain::settings::Mute;
use anser_domain::{AppId, Code, ConversationId, GroupId, Reject, RoomId, Timestamp, UserId};
use anser_engine::group::{By, Members};
use anser_engine::message::PageRequest;
use serde_json::{Value, json};

use super::clause::{Clause, Condition, Test};
use super::sort::Sorting;
use super::test::Facts;
use crate::leancloud::error::{Doing, Kind, Refusal};
use crate::leancloud::rows::{self, Columns};
use crate::leancloud::{LeanCloud, content, ids};

/// Rows of an answer.
const LIMIT_MAX: usize = 1_000;
/// Rows of an answer that are passed over at most.
const SKIP_MAX: usize = 5_000;
/// Service conversations that are looked at.
const SYSTEMS_MAX: usize = 1_000;
/// Members on a page.
const MEMBERS_PAGE: usize = 500;
/// Messages that are looked at for the newest that is none of ours.
const NEWEST_LOOKED_AT: usize = 20;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Query {
    /// What must hold.
    pub clause: Clause,
    /// In which order.
    pub sorting: Sorting,
    /// So many are passed over.
    pub skip: usize,
    /// So many at most.
    pub limit: usize,
    /// Without members.
    pub compact: bool,
    /// With the last message.
    pub last_message: bool,
    /// Which kinds of conversations are looked at.
    pub kinds: Kinds,
}

/// Kinds of conversations.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Kinds {
    /// Conversations of members.
    pub plain: bool,
    /// Chat rooms.
    pub rooms: bool,
    /// Service conversations.
    pub systems: bool,
}

impl Kinds {
    /// All of them.
    pub const ALL: Self = Self {
        plain: true,
        rooms: true,
        systems: true,
    };
    /// Conversations of members.
    pub const PLAIN: Self = Self {
        plain: true,
        rooms: false,
        systems: false,
    };
    /// Chat rooms.
    pub const ROOMS: Self = Self {
        plain: false,
        rooms: true,
        systems: false,
    };
    /// Service conversations.
    pub const SYSTEMS: Self = Self {
        plain: false,
        rooms: false,
        systems: true,
    };
}

impl Query {
    /// Reads a query of conversations. `where_` and `sort` may be empty; `limit` is what was asked
    /// for, or the usual one.
    ///
    /// # Errors
    /// 4310 says what is wrong.
    pub fn parse(where_: &str, sort: &str, skip: i64, limit: i64) -> Result<Self, Refusal> {
        let wrong = |detail: &'static str| Refusal::new(Kind::ConversationQueryFailed, detail);
        let clause = Clause::parse_text(where_)?;
        let sorting = match clause.near() {
            Some((field, centre)) if sort.is_empty() => Sorting::Near(field.to_owned(), centre),
            _ => Sorting::parse(sort)?,
        };
        let skip = usize::try_from(skip).map_err(|_| wrong("skip is negative"))?;
        let limit = usize::try_from(limit).map_err(|_| wrong("limit is negative"))?;
        if skip > SKIP_MAX {
            return Err(wrong("skip is above 5,000; narrow the query"));
        }
        Ok(Self {
            clause,
            sorting,
            skip,
            limit: limit.min(LIMIT_MAX),
            compact: false,
            last_message: false,
            kinds: Kinds::ALL,
        })
    }
}

/// A conversation that was found.
#[derive(Clone, PartialEq, Debug)]
pub struct Subject {
    /// What it is here.
    pub place: Place,
    /// Its row, but for members and what depends on who asks.
    pub columns: Columns,
}

/// What a row is here.
#[derive(Clone, Eq, PartialEq, Ord, PartialOrd, Debug)]
pub enum Place {
    /// A conversation of members, for good or for a time.
    Plain(ConversationId),
    /// A chat room.
    Room(RoomId),
    /// A service conversation.
    System(GroupId),
}

/// The conversation of this id, of whatever kind.
///
/// # Errors
/// 4303: there is none.
pub async fn lookup(door: &LeanCloud, app: AppId, object_id: &str) -> Result<Subject, Refusal> {
    let found = look_up(door, app, object_id).await;
    let found = found.map_err(|reject| Refusal::of(reject, Doing::Conversation))?;
    found.ok_or_else(|| Kind::ConversationNotFound.into())
}

/// Nothing is there: no failure while looking.
fn absent<T>(found: Result<T, Reject>) -> Result<Option<T>, Reject> {
    match found {
        Ok(it) => Ok(Some(it)),
        Err(reject)
            if matches!(
                reject.code,
                Code::NotFound | Code::GroupDismissed | Code::ConversationOver
            ) =>
        {
            Ok(None)
        }
        Err(reject) => Err(reject),
    }
}

async fn look_up(door: &LeanCloud, app: AppId, id: &str) -> Result<Option<Subject>, Reject> {
    let (engine, now) = (&door.engine, door.env.now());
    if let Some(conversation) = ids::conversation(id) {
        let group = engine.created(app, By::Server, &conversation).await;
        if let Some(group) = absent(group)? {
            return Ok(Some(Subject {
                columns: rows::of_group(&group, now),
                place: Place::Plain(conversation),
            }));
        }
    }
    if let Some(ConversationId::System(group)) = ids::service(id)
        && let Some(system) = absent(engine.system(app, &group).await)?
    {
        return Ok(Some(Subject {
            columns: rows::of_system(&system),
            place: Place::System(group),
        }));
    }
    let Some(room) = ids::room(id) else {
        return Ok(None);
    };
    let stored = engine.stored_room(app, &room).await?;
    Ok(stored.map(|stored| Subject {
        columns: rows::of_room(&room, &stored),
        place: Place::Room(room),
    }))
}

/// Temporary conversations by their ids, `_tmp:…`; those that are over are left out.
///
/// # Errors
/// 4310.
pub async fn temporary(
    door: &LeanCloud,
    app: AppId,
    viewer: Option<&UserId>,
    object_ids: &[String],
) -> Result<Vec<Value>, Refusal> {
    let mut rows = Vec::new();
    for id in object_ids.iter().take(LIMIT_MAX) {
        let failed = |reject| Refusal::of(reject, Doing::Query);
        let found = look_up(door, app, id).await.map_err(failed)?;
        let wanted = found.filter(|subject| subject.columns.contains_key("temp"));
        if let Some(subject) = wanted {
            rows.push(row(door, app, viewer, subject, (false, false)).await?);
        }
    }
    Ok(rows)
}

/// Runs a query, and makes the rows of the answer. `viewer` is the client that asks; the back end
/// is none.
///
/// # Errors
/// 4310.
pub async fn run(
    door: &LeanCloud,
    app: AppId,
    viewer: Option<&UserId>,
    query: &Query,
) -> Result<Vec<Value>, Refusal> {
    let mut rows = Vec::new();
    for subject in find(door, app, viewer, query).await? {
        let how = (query.compact, query.last_message);
        rows.push(row(door, app, viewer, subject, how).await?);
    }
    Ok(rows)
}

/// What is to be looked at.
enum Source {
    Ids(Vec<String>),
    Member(UserId),
    All(Kinds),
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        one => one.as_str().map(str::to_owned).into_iter().collect(),
    }
}

fn source(query: &Query, viewer: Option<&UserId>) -> Source {
    let mut kinds = query.kinds;
    let mut member = None;
    for Condition { path, test } in query.clause.musts() {
        match (path.as_str(), test) {
            ("objectId", Test::Equal(id)) => return Source::Ids(texts(id)),
            ("objectId", Test::In(all)) => return Source::Ids(texts(&Value::from(all.clone()))),
            ("m", Test::Equal(value)) => member = texts(value).first().cloned().or(member),
            ("m", Test::AllOf(all)) => {
                member = texts(&Value::from(all.clone())).first().cloned().or(member);
            }
            // Only conversations of members have any.
            ("m", Test::In(_) | Test::Size(_)) => (kinds.rooms, kinds.systems) = (false, false),
            ("tr", Test::Equal(value)) => match value.as_bool() {
                Some(true) => (kinds.plain, kinds.systems) = (false, false),
                _ => kinds.rooms = false,
            },
            ("tr", Test::NotEqual(value)) if value == true => kinds.rooms = false,
            ("sys", Test::Equal(value)) => match value.as_bool() {
                Some(true) => (kinds.plain, kinds.rooms) = (false, false),
                _ => kinds.systems = false,
            },
            ("sys", Test::NotEqual(value)) if value == true => kinds.systems = false,
            _ => {}
        }
    }
    let own = viewer.filter(|_| query.clause.is_empty()).cloned();
    let member = member.and_then(|member| UserId::new(&member).ok()).or(own);
    match member {
        Some(member) => Source::Member(member),
        None => Source::All(kinds),
    }
}

struct Match {
    key: Vec<Value>,
    place: Place,
}

/// Gathers what holds.
struct Gathering<'a> {
    query: &'a Query,
    now: Timestamp,
    matches: Vec<Match>,
}

impl Gathering<'_> {
    fn look(&mut self, place: Place, columns: &Columns, members: &BTreeSet<String>, count: u64) {
        let facts = Facts {
            columns,
            members,
            member_count: count,
        };
        if self.query.clause.holds(facts) {
            let key = self.query.sorting.key(columns);
            self.matches.push(Match { key, place });
        }
    }
}

/// Finds conversations, in the order asked for.
///
/// # Errors
/// 4310.
pub async fn find(
    door: &LeanCloud,
    app: AppId,
    viewer: Option<&UserId>,
    query: &Query,
) -> Result<Vec<Subject>, Refusal> {
    if query.limit == 0 {
        return Ok(Vec::new());
    }
    let failed = |reject| Refusal::of(reject, Doing::Query);
    let mut gathering = Gathering {
        query,
        now: door.env.now(),
        matches: Vec::new(),
    };
    gather(door, app, viewer, &mut gathering)
        .await
        .map_err(failed)?;
    let mut matches = gathering.matches;
    matches.sort_by(|a, b| {
        let order = query.sorting.order(&a.key, &b.key);
        order.then_with(|| a.place.cmp(&b.place))
    });
    matches.dedup_by(|a, b| a.place == b.place);
    let page = matches.into_iter().skip(query.skip).take(query.limit);
    let page: Vec<Place> = page.map(|one| one.place).collect();
    fetch(door, app, page).await.map_err(failed)
}

async fn gather(
    door: &LeanCloud,
    app: AppId,
    viewer: Option<&UserId>,
    gathering: &mut Gathering<'_>,
) -> Result<(), Reject> {
    let (engine, now, query) = (&door.engine, gathering.now, gathering.query);
    let named = query.clause.members();
    let named: BTreeSet<UserId> = named
        .iter()
        .filter_map(|user| UserId::new(user).ok())
        .collect();
    let (of, kinds) = match source(query, viewer) {
        Source::Ids(object_ids) => {
            return gather_ids(door, app, &object_ids, &named, gathering).await;
        }
        Source::Member(member) => (Some(member), Kinds::PLAIN),
        Source::All(kinds) => (None, kinds),
    };
    if kinds.plain && query.kinds.plain {
        let visit = &mut |group: &anser_engine::group::Group, members: &BTreeSet<UserId>| {
            let members = members.iter().map(ToString::to_string).collect();
            let place = Place::Plain(group.conversation());
            let columns = rows::of_group(group, now);
            gathering.look(place, &columns, &members, group.member_count.into());
        };
        engine
            .visit_conversations(app, of.as_ref(), &named, visit)
            .await?;
    }
    if kinds.rooms {
        let (rooms, _) = engine.stored_rooms(app).await?;
        for room in rooms {
            if let Some(stored) = engine.stored_room(app, &room).await? {
                let columns = rows::of_room(&room, &stored);
                gathering.look(Place::Room(room), &columns, &BTreeSet::new(), 0);
            }
        }
    }
    if kinds.systems {
        gather_systems(door, app, gathering).await?;
    }
    Ok(())
}

async fn gather_ids(
    door: &LeanCloud,
    app: AppId,
    object_ids: &[String],
    named: &BTreeSet<UserId>,
    gathering: &mut Gathering<'_>,
) -> Result<(), Reject> {
    let (engine, now, kinds) = (&door.engine, gathering.now, gathering.query.kinds);
    let mut left: BTreeSet<&str> = object_ids.iter().map(String::as_str).collect();
    let plain: Vec<ConversationId> = left
        .iter()
        .filter_map(|id| ids::conversation(id))
        .filter(|id| matches!(id, ConversationId::Created(_)))
        .collect();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let visit = &mut |group: &anser_engine::group::Group, members: &BTreeSet<UserId>| {
        seen.insert(group.id.to_string());
        let members = members.iter().map(ToString::to_string).collect();
        let columns = rows::of_group(group, now);
        if kinds.plain {
            let place = Place::Plain(group.conversation());
            gathering.look(place, &columns, &members, group.member_count.into());
        }
    };
    engine
        .visit_these_conversations(app, &plain, named, visit)
        .await?;
    left.retain(|id| !seen.contains(*id) && !id.starts_with(ids::TEMPORARY));
    for id in left {
        let Some(subject) = look_up(door, app, id).await? else {
            continue;
        };
        let wanted = match subject.place {
            Place::Plain(_) => kinds.plain,
            Place::Room(_) => kinds.rooms,
            Place::System(_) => kinds.systems,
        };
        if wanted {
            gathering.look(subject.place, &subject.columns, &BTreeSet::new(), 0);
        }
    }
    Ok(())
}

async fn gather_systems(
    door: &LeanCloud,
    app: AppId,
    gathering: &mut Gathering<'_>,
) -> Result<(), Reject> {
    let (mut cursor, mut looked_at) = (String::new(), 0);
    while looked_at < SYSTEMS_MAX {
        let page = door.engine.systems(app, &cursor, 0).await?;
        for system in &page.conversations {
            let place = Place::System(system.id.clone());
            gathering.look(place, &rows::of_system(system), &BTreeSet::new(), 0);
        }
        looked_at += page.conversations.len().max(1);
        cursor = page.cursor;
        if cursor.is_empty() {
            break;
        }
    }
    Ok(())
}

/// The rows of these places, in their order; what went away meanwhile is left out.
async fn fetch(door: &LeanCloud, app: AppId, page: Vec<Place>) -> Result<Vec<Subject>, Reject> {
    let plain: Vec<ConversationId> = page
        .iter()
        .filter_map(|place| match place {
            Place::Plain(id) => Some(id.clone()),
            _ => None,
        })
        .collect();
    let (mut found, now) = (BTreeMap::new(), door.env.now());
    let visit = &mut |group: &anser_engine::group::Group, _: &BTreeSet<UserId>| {
        found.insert(group.conversation(), rows::of_group(group, now));
    };
    door.engine
        .visit_these_conversations(app, &plain, &BTreeSet::new(), visit)
        .await?;
    let mut subjects = Vec::with_capacity(page.len());
    for place in page {
        let columns = match &place {
            Place::Plain(id) => found.remove(id),
            Place::System(id) => {
                absent(door.engine.system(app, id).await)?.map(|system| rows::of_system(&system))
            }
            Place::Room(id) => {
                let stored = door.engine.stored_room(app, id).await?;
                stored.map(|stored| rows::of_room(id, &stored))
            }
        };
        subjects.extend(columns.map(|columns| Subject { place, columns }));
    }
    Ok(subjects)
}

/// All members, those first who came first.
///
/// # Errors
/// Whatever the engine says.
pub async fn members(
    door: &LeanCloud,
    app: AppId,
    conversation: &ConversationId,
) -> Result<Vec<UserId>, Reject> {
    let (mut cursor, mut all) = (String::new(), Vec::new());
    loop {
        let page = door.engine.created_members(
            app,
            By::Server,
            conversation,
            Members::All,
            &cursor,
            MEMBERS_PAGE,
        );
        let page = page.await?;
        all.extend(page.members);
        cursor = page.cursor;
        if cursor.is_empty() {
            break;
        }
    }
    all.sort_by_key(|member| member.joined);
    Ok(all.into_iter().map(|member| member.user).collect())
}

/// A whole row: with members unless it is `compact`, and with what depends on who asks.
async fn row(
    door: &LeanCloud,
    app: AppId,
    viewer: Option<&UserId>,
    subject: Subject,
    (compact, last_message): (bool, bool),
) -> Result<Value, Refusal> {
    let failed = |reject| Refusal::of(reject, Doing::Query);
    let Subject { place, mut columns } = subject;
    if !compact {
        let members = match &place {
            Place::Plain(id) => absent(members(door, app, id).await).map_err(failed)?,
            _ => None,
        };
        let members = members.unwrap_or_default();
        let members: Vec<&str> = members.iter().map(UserId::as_str).collect();
        columns.insert("m".to_owned(), json!(members));
    }
    let Some(viewer) = viewer else {
        return Ok(Value::Object(columns));
    };
    let conversation = match &place {
        Place::Plain(id) => id.clone(),
        Place::System(id) => ConversationId::System(id.clone()),
        Place::Room(_) => {
            columns.insert("muted".to_owned(), false.into());
            return Ok(Value::Object(columns));
        }
    };
    if let Place::System(id) = &place {
        let since = door.engine.subscribed_since(app, id, viewer).await;
        let since = absent(since).map_err(failed)?.flatten();
        columns.insert("joined".to_owned(), since.is_some().into());
        if let Some(since) = since {
            columns.insert("joinedAt".to_owned(), since.0.into());
        }
    }
    let view = door.engine.conversation(app, viewer, &conversation).await;
    let view = match view {
        Ok(view) => Some(view).filter(|view| view.member),
        Err(reject) if reject.code == Code::NotAMember => None,
        Err(reject) if matches!(reject.code, Code::NotFound | Code::GroupDismissed) => None,
        Err(reject) => return Err(failed(reject)),
    };
    let muted = view
        .as_ref()
        .is_some_and(|view| view.settings.muted != Mute::None);
    columns.insert("muted".to_owned(), muted.into());
    let mute_list: Vec<&str> = muted.then_some(viewer.as_str()).into_iter().collect();
    columns.insert("mu".to_owned(), json!(mute_list));
    if last_message && view.is_some() {
        put_last_message(door, app, viewer, &conversation, &mut columns)
            .await
            .map_err(failed)?;
    }
    Ok(Value::Object(columns))
}

async fn put_last_message(
    door: &LeanCloud,
    app: AppId,
    viewer: &UserId,
    conversation: &ConversationId,
    columns: &mut Columns,
) -> Result<(), Reject> {
    let newest = PageRequest {
        from_seq: 0,
        descending: true,
        limit: NEWEST_LOOKED_AT,
    };
    let page = door
        .engine
        .pull(app, Some(viewer), conversation, newest)
        .await?;
    let said = page.messages.iter().find_map(|message| {
        let content = content::from_engine(message)?;
        Some((message, content))
    });
    let Some((message, content)) = said else {
        return Ok(());
    };
    let mut put = |name: &str, value: Value| columns.insert(name.to_owned(), value);
    put("msg", content.data.into());
    put("bin", content.bin.into());
    put("msg_mid", ids::message_id(message.id).into());
    put("msg_from", (*message.sender).into());
    put("msg_timestamp", message.time.0.into());
    if let Some(patched) = content.patched {
        put("patch_timestamp", patched.0.into());
    }
    if content.mention_all {
        put("mention_all", true.into());
    }
    if !content.mentions.is_empty() {
        put("mention_pids", json!(content.mentions));
    }
    Ok(())
}
