//! Queries of created conversations.
//!
//! A query has a source of names: a user's conversations by their inbox rows, or all of the app by
//! the index rows that are written with each conversation; of all, one that says who is a member
//! looks at this user's only. Every conversation of the source is looked at, head and what is told
//! of it, and passes the filter or not; nothing else is indexed. So a query has a budget, of
//! conversations and of time. When it is used up, the answer has what was found until then, and
//! says that it is not complete. Of the members, only those are looked up that the filter names.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use anser_domain::attributes::{Json, Object};
use anser_domain::limits::{
    INBOX_CONVERSATIONS_MAX, QUERY_CONVERSATIONS_MAX, QUERY_SKIP_MAX, QUERY_TIME_MS_MAX,
};
use anser_domain::query::{Filter, Sorting};
use anser_domain::{AppId, Code, ConversationId, Reject, Timestamp, UserId};
use anser_proto::stored;
use anser_store::{GET_MANY_MAX, SHARD_COUNT, Shard};
use futures::future::join_all;

use crate::conversation::loaded;
use crate::fault;
use crate::group::{Group, rows};
use crate::sync::list;
use crate::tables::{self, ConversationKeys, UserKeys};
use crate::tools::Tools;

/// Shards whose index is read at a time.
const SHARDS_AT_ONCE: usize = 64;
/// Conversations read at a time.
const CHUNK: usize = 64;

/// Which conversations are asked for.
#[derive(Clone, Debug)]
pub struct Query {
    /// Those of this user; `None`: all of the app, for the server API.
    pub of: Option<UserId>,
    /// What must hold.
    pub filter: Filter,
    /// In which order.
    pub sorting: Sorting,
    /// So many of the answer are passed over; at most 5,000.
    pub skip: usize,
    /// So many are returned at most.
    pub limit: usize,
}

/// What a query found.
#[derive(Clone, PartialEq, Debug)]
pub struct Found {
    /// In the order asked for.
    pub conversations: Vec<Group>,
    /// How many there are, those passed over or left out included.
    pub matched: usize,
    /// Every conversation in question was looked at. If not, others may match too.
    pub complete: bool,
}

/// Is shown conversations, one after the other, each with those of the named users who are in it.
pub type Visit<'a> = dyn FnMut(&Group, &BTreeSet<UserId>) + Send + 'a;

/// A conversation that matches, with what sorts it.
struct Match {
    key: Vec<Json>,
    name: Arc<str>,
}

pub(super) async fn run(tools: &Tools, app: AppId, query: &Query) -> Result<Found, Reject> {
    if query.skip > QUERY_SKIP_MAX {
        let message = format!("skip is above {QUERY_SKIP_MAX}; narrow the filter");
        return Err(Reject::new(Code::InvalidRequest, message));
    }
    let user = query.of.clone().or_else(|| query.filter.narrowest());
    let named = query.filter.members();
    let mut matches: Vec<Match> = Vec::new();
    let gather = &mut |group: &Group, members: &BTreeSet<UserId>| {
        let inside = |user: &UserId| members.contains(user);
        if query.of.is_none() && user.as_ref().is_some_and(|user| !inside(user)) {
            return;
        }
        let document = document(group, members);
        if query.filter.holds(&document) {
            let key = query.sorting.key(&document);
            let name = Arc::from(group.conversation().to_string());
            matches.push(Match { key, name });
        }
    };
    let complete = visit(tools, app, user.as_ref(), &named, gather).await?;
    matches.sort_by(|a, b| {
        let order = query.sorting.order(&a.key, &b.key);
        order.then_with(|| a.name.cmp(&b.name))
    });
    let matched = matches.len();
    let page: Vec<Arc<str>> = matches
        .into_iter()
        .skip(query.skip)
        .take(query.limit)
        .map(|one| one.name)
        .collect();
    let found = look(tools, app, &page).await?;
    Ok(Found {
        conversations: found.into_iter().map(|(_, group)| group).collect(),
        matched,
        complete,
    })
}

/// Shows every conversation in question, with those of the `named` users who are in it; whether
/// these are all.
pub(super) async fn visit(
    tools: &Tools,
    app: AppId,
    of: Option<&UserId>,
    named: &BTreeSet<UserId>,
    visit: &mut Visit<'_>,
) -> Result<bool, Reject> {
    let until = Timestamp(tools.env.now().0 + QUERY_TIME_MS_MAX);
    let (names, complete) = match of {
        Some(user) => of_user(tools, app, user).await?,
        None => of_app(tools, app, until).await?,
    };
    for chunk in names.chunks(CHUNK) {
        for (name, group) in look(tools, app, chunk).await? {
            if tools.env.now() > until {
                return Ok(false);
            }
            give_way().await;
            visit(&group, &present(tools, app, &name, named).await?);
        }
    }
    Ok(complete)
}

/// Shows those of these conversations that are there.
pub(super) async fn visit_these(
    tools: &Tools,
    app: AppId,
    ids: &[ConversationId],
    named: &BTreeSet<UserId>,
    visit: &mut Visit<'_>,
) -> Result<(), Reject> {
    let names: Vec<Arc<str>> = ids.iter().map(|id| Arc::from(id.to_string())).collect();
    for chunk in names.chunks(CHUNK) {
        for (name, group) in look(tools, app, chunk).await? {
            visit(&group, &present(tools, app, &name, named).await?);
        }
    }
    Ok(())
}

/// Lets others run: a filter may take a while, and nothing in it waits.
async fn give_way() {
    let mut has = false;
    poll_fn(|cx| match std::mem::replace(&mut has, true) {
        true => Poll::Ready(()),
        false => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}

fn is_created(name: &str) -> bool {
    name.starts_with("c/")
}

/// The user's created conversations, and whether these are all.
async fn of_user(
    tools: &Tools,
    app: AppId,
    user: &UserId,
) -> Result<(Vec<Arc<str>>, bool), Reject> {
    let keys = UserKeys::new(app, user.as_str());
    let mut names = list::names(tools, &keys).await?;
    let complete = names.len() < INBOX_CONVERSATIONS_MAX;
    names.retain(|name| is_created(name));
    let inbox = names.iter().map(|name| keys.inbox(name)).collect();
    let rows = list::get_all(tools, inbox).await?;
    let mut inside = Vec::with_capacity(names.len());
    for (name, row) in names.into_iter().zip(rows) {
        let row: Option<stored::InboxRow> = tables::decode_some(row.as_ref())?;
        if row.is_some_and(|row| row.member) {
            inside.push(name);
        }
    }
    Ok((inside, complete))
}

/// The app's created conversations as far as the budget goes, and whether these are all.
async fn of_app(
    tools: &Tools,
    app: AppId,
    until: Timestamp,
) -> Result<(Vec<Arc<str>>, bool), Reject> {
    let mut names: Vec<Arc<str>> = Vec::new();
    for first in (0..SHARD_COUNT).step_by(SHARDS_AT_ONCE) {
        let room = QUERY_CONVERSATIONS_MAX - names.len();
        if room == 0 || tools.env.now() > until {
            return Ok((names, false));
        }
        let shards = (first..SHARD_COUNT).take(SHARDS_AT_ONCE);
        let limit = room.min(anser_store::SCAN_LIMIT_MAX);
        let scans = shards.map(|shard| {
            tools
                .store
                .scan(tables::created_range(app, Shard(shard), limit))
        });
        let mut more = false;
        for page in join_all(scans).await {
            let page = page.map_err(|e| fault::reject(&e))?;
            more |= page.more;
            for (key, _) in &page.rows {
                let name = tables::created_of_key(key).ok_or_else(loaded::damaged)?;
                names.push(Arc::from(name));
            }
        }
        if more || names.len() > QUERY_CONVERSATIONS_MAX {
            names.truncate(QUERY_CONVERSATIONS_MAX);
            return Ok((names, false));
        }
    }
    Ok((names, true))
}

/// Those of the conversations that are there.
async fn look(
    tools: &Tools,
    app: AppId,
    names: &[Arc<str>],
) -> Result<Vec<(Arc<str>, Group)>, Reject> {
    let keys = names.iter().flat_map(|name| {
        let keys = ConversationKeys::new(app, name);
        [keys.head(), keys.group_info()]
    });
    let read = list::get_all(tools, keys.collect()).await?;
    let mut found = Vec::with_capacity(names.len());
    for (name, pair) in names.iter().zip(read.chunks(2)) {
        let head: Option<stored::Head> = tables::decode_some(pair[0].as_ref())?;
        let Some(head) = head.filter(|head| !head.dismissed) else {
            continue;
        };
        let info: stored::GroupInfo = tables::decode_some(pair[1].as_ref())?.unwrap_or_default();
        let id = ConversationId::parse(name).map_err(|_| loaded::damaged())?;
        found.push((Arc::clone(name), rows::group(&id, &head, &info)?));
    }
    Ok(found)
}

/// Which of these users are members.
async fn present(
    tools: &Tools,
    app: AppId,
    name: &str,
    users: &BTreeSet<UserId>,
) -> Result<BTreeSet<UserId>, Reject> {
    let keys = ConversationKeys::new(app, name);
    let mut present = BTreeSet::new();
    let all: Vec<&UserId> = users.iter().collect();
    for chunk in all.chunks(GET_MANY_MAX) {
        let wanted: Vec<_> = chunk
            .iter()
            .map(|user| keys.member(user.as_str()))
            .collect();
        let read = tools.store.get_many(&wanted).await;
        let read = read.map_err(|e| fault::reject(&e))?;
        let inside = chunk.iter().zip(read).filter(|(_, row)| row.is_some());
        present.extend(inside.map(|(user, _)| (*user).clone()));
    }
    Ok(present)
}

/// The conversation as filters see it.
fn document(group: &Group, members: &BTreeSet<UserId>) -> Json {
    let time = |time: Timestamp| Json::Integer(i64::try_from(time.0).unwrap_or(i64::MAX));
    let text = |text: &str| Json::Text(text.to_owned());
    let members = members.iter().map(|user| text(user.as_str())).collect();
    let fields = [
        ("conversation", text(&group.conversation().to_string())),
        ("name", text(&group.name)),
        ("owner", text(&group.owner)),
        ("created_time", time(group.created)),
        ("updated_time", time(group.updated)),
        ("last_time", time(group.last_time)),
        ("member_count", Json::Integer(group.member_count.into())),
        ("unique", Json::Bool(group.unique)),
        ("members", Json::Array(members)),
        ("attributes", Json::Object(group.nested_attributes.clone())),
    ];
    let fields = fields.into_iter().map(|(key, it)| (key.to_owned(), it));
    Json::Object(fields.collect::<Object>())
}
