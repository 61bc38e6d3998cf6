//! Reading the lists.

use anser_domain::relation::{List, Stance};
use anser_domain::{AppId, Code, Reject, UserId};
use anser_proto::stored;
use anser_store::Store;
use bytes::Bytes;

use super::RelationPage;
use crate::fault;
use crate::tables::{self, UserKeys};
use crate::tools::Tools;
use crate::user;

/// Which of the two users of a private chat may not write, and why.
pub(crate) async fn refusals(
    store: &Store,
    app: AppId,
    one: &UserId,
    other: &UserId,
) -> Result<Vec<(UserId, Code)>, Reject> {
    let both = [(one, other), (other, one)];
    let mut wanted = Vec::with_capacity(6);
    for (user, writer) in both {
        let keys = UserKeys::new(app, user.as_str());
        wanted.push(keys.user());
        wanted.push(keys.relation(List::Blocked, writer.as_str()));
        wanted.push(keys.relation(List::Allowed, writer.as_str()));
    }
    let rows = store.get_many(&wanted).await;
    let rows = rows.map_err(|e| fault::reject(&e))?;
    let mut refused = Vec::new();
    for ((_, writer), rows) in both.into_iter().zip(rows.chunks(3)) {
        if let Some(code) = stance(rows)?.refusal() {
            refused.push((writer.clone(), code));
        }
    }
    Ok(refused)
}

/// From the user's row, the writer's place on the block list, and on the allow list.
fn stance(rows: &[Option<Bytes>]) -> Result<Stance, Reject> {
    let user: stored::User = tables::decode_some(rows[0].as_ref())?.unwrap_or_default();
    Ok(Stance {
        blocked: rows[1].is_some(),
        allow_only: user.allow_only,
        allowed: rows[2].is_some(),
    })
}

/// A page of a list.
pub(super) async fn page(
    tools: &Tools,
    app: AppId,
    user: &UserId,
    list: List,
    cursor: &str,
    limit: usize,
) -> Result<RelationPage, Reject> {
    tables::check_user_cursor(cursor)?;
    // Read first: the list is at least as new as the version says.
    let row = user::row(tools, app, user).await?.unwrap_or_default();
    let keys = UserKeys::new(app, user.as_str());
    let page = tools.store.scan(keys.relations(list, cursor, limit)).await;
    let page = page.map_err(|e| fault::reject(&e))?;
    let of_key = |(key, _): &(Bytes, Bytes)| keys.related(key).ok_or(Code::Internal);
    let users: Vec<UserId> = page.rows.iter().map(of_key).collect::<Result<_, _>>()?;
    let cursor = match users.last() {
        Some(last) if page.more => last.as_str().to_owned(),
        _ => String::new(),
    };
    Ok(RelationPage {
        users,
        cursor,
        allow_only: row.allow_only,
        version: row.relation_version,
    })
}
