//! What a device missed.

use anser_domain::limits::{PAGE_ITEMS_MAX, SYNC_LOOK_BACK_MS, SYNC_OPEN_MAX};
use anser_domain::{AppId, Code, Reject, Timestamp, UserId};
use futures::future::try_join_all;

use super::list::{self, Listed};
use super::{SyncRequest, SyncResult};
use crate::conversation::{ConversationPage, ConversationView};
use crate::message::{PageRequest, history};
use crate::system::everyone;
use crate::tools::Tools;
use crate::user::{self, ended};

/// Where a listing continues: behind the conversation with this time and name. What a sync fixed
/// on its first page travels along.
struct Cursor<'a> {
    synced: u64,
    feed_version: u64,
    pinned: bool,
    last_time: u64,
    name: &'a str,
}

impl<'a> Cursor<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(5, '.');
        let mut number = || u64::from_str_radix(parts.next()?, 16).ok();
        Some(Self {
            synced: number()?,
            feed_version: number()?,
            pinned: number()? != 0,
            last_time: number()?,
            name: parts.next()?,
        })
    }

    fn write(&self) -> String {
        format!(
            "{:x}.{:x}.{:x}.{:x}.{}",
            self.synced,
            self.feed_version,
            u64::from(self.pinned),
            self.last_time,
            self.name
        )
    }

    fn is_before(&self, listed: &Listed) -> bool {
        (!self.pinned, std::cmp::Reverse(self.last_time), self.name) < listed.sort_key()
    }
}

fn bad_cursor() -> Reject {
    Reject::new(
        Code::InvalidRequest,
        "the cursor is not one that the server gave",
    )
}

async fn views(
    tools: &Tools,
    app: AppId,
    user: &str,
    page: &[&Listed],
) -> Result<Vec<ConversationView>, Reject> {
    try_join_all(page.iter().map(|listed| listed.view(tools, app, user))).await
}

/// A page of the conversation list.
pub(crate) async fn conversations(
    tools: &Tools,
    app: AppId,
    user: &UserId,
    cursor: &str,
    limit: usize,
) -> Result<ConversationPage, Reject> {
    let after = match cursor {
        "" => None,
        text => Some(Cursor::parse(text).ok_or_else(bad_cursor)?),
    };
    if after.is_none() {
        everyone::ensure(tools, app, user).await?;
    }
    let all = list::all(tools, app, user.as_str()).await?;
    let mut rest = all
        .iter()
        .filter(|one| one.is_shown() && after.as_ref().is_none_or(|after| after.is_before(one)));
    let page: Vec<&Listed> = rest.by_ref().take(limit).collect();
    let cursor = match (page.last(), rest.next()) {
        (Some(last), Some(_)) => Cursor {
            synced: 0,
            feed_version: 0,
            pinned: last.row.pinned,
            last_time: last.last_time.0,
            name: &last.name,
        }
        .write(),
        _ => String::new(),
    };
    Ok(ConversationPage {
        conversations: views(tools, app, user.as_str(), &page).await?,
        cursor,
    })
}

/// Everything since the device's last complete sync. The caller's session is registered already,
/// so what happens while this runs is pushed.
pub(crate) async fn sync(
    tools: &Tools,
    epoch: u64,
    app: AppId,
    user: &UserId,
    request: &SyncRequest,
) -> Result<SyncResult, Reject> {
    if request.open.len() > SYNC_OPEN_MAX {
        return Err(Reject::new(
            Code::InvalidRequest,
            "at most 20 conversations may be open in a sync",
        ));
    }
    let after = match request.cursor.as_str() {
        "" => None,
        text => Some(Cursor::parse(text).ok_or_else(bad_cursor)?),
    };
    if after.is_none() {
        everyone::ensure(tools, app, user).await?;
    }
    // Read before what they describe: what moves meanwhile is given again next time.
    let now = tools.env.now();
    let feed_version = user::feed_version(tools, app, user.as_str()).await?;
    let (synced, feed_version) = after.as_ref().map_or((now.0, feed_version), |after| {
        (after.synced, after.feed_version)
    });

    let is_new = request.epoch == 0 && request.feed_version == 0 && request.synced.0 == 0;
    let mut reset = !is_new && (request.epoch != epoch || request.feed_version > feed_version);
    let mut ended = Vec::new();
    if !is_new && !reset && request.feed_version < feed_version {
        let range = (request.feed_version, feed_version);
        match ended::since(tools, app, user.as_str(), range).await? {
            Some(missed) if after.is_none() => ended = missed,
            Some(_) => {}
            None => reset = true,
        }
    }
    let rows = list::rows(tools, app, user.as_str()).await?;
    if let Some(session) = request.session {
        // Before the heads are read: what is sent from then on is pushed.
        for (name, row) in rows.iter().filter(|(name, _)| name.starts_with("s/")) {
            let locals = &tools.locals;
            locals.follow(session, name, row.feed_version, row.member);
        }
    }
    let all = list::with_heads(tools, app, user.as_str(), rows).await?;
    let since = Timestamp(request.synced.0).minus_ms(SYNC_LOOK_BACK_MS);
    let concerns = |one: &Listed| {
        if is_new || reset {
            // Hidden ones too: when the next message shows one again, its row is there.
            return one.row.member && !one.is_dismissed();
        }
        one.row.feed_version > request.feed_version || (one.row.member && one.moved >= since)
    };
    let mut rest = all
        .iter()
        .filter(|one| concerns(one) && after.as_ref().is_none_or(|after| after.is_before(one)));
    let page: Vec<&Listed> = if is_new || reset {
        first_window(rest.by_ref(), tools.settings.first_window)
    } else {
        rest.by_ref().take(PAGE_ITEMS_MAX).collect()
    };
    let cursor = match (page.last(), rest.next()) {
        // Beyond the first window, a new device asks for the list when it is scrolled.
        (Some(last), Some(_)) if !is_new && !reset => Cursor {
            synced,
            feed_version,
            pinned: last.row.pinned,
            last_time: last.last_time.0,
            name: &last.name,
        }
        .write(),
        _ => String::new(),
    };
    let mut conversations = views(tools, app, user.as_str(), &page).await?;
    conversations.extend(ended);
    let pages = if after.is_none() {
        open_pages(tools, app, user, request).await?
    } else {
        Vec::new()
    };
    Ok(SyncResult {
        epoch,
        reset,
        conversations,
        pages,
        feed_version,
        synced: Timestamp(synced),
        cursor,
    })
}

/// What is missing in the conversations that the device has open. One that the user is no longer
/// in is left out: its row in the list says so.
async fn open_pages(
    tools: &Tools,
    app: AppId,
    user: &UserId,
    request: &SyncRequest,
) -> Result<Vec<crate::message::MessagePage>, Reject> {
    let pages = request.open.iter().map(async |(id, seq)| {
        let page = PageRequest {
            from_seq: *seq,
            descending: false,
            limit: PAGE_ITEMS_MAX,
        };
        match history::pull(tools, app, Some(user), id, page).await {
            Ok(page) if page.messages.is_empty() => Ok(None),
            Ok(page) => Ok(Some(page)),
            Err(reject)
                if matches!(
                    reject.code,
                    Code::NotAMember | Code::NotFound | Code::ConversationOver
                ) =>
            {
                Ok(None)
            }
            Err(reject) => Err(reject),
        }
    });
    Ok(try_join_all(pages).await?.into_iter().flatten().collect())
}

/// The window that a new device starts with.
fn first_window<'a>(all: impl Iterator<Item = &'a Listed>, shown_max: usize) -> Vec<&'a Listed> {
    let mut shown = 0;
    let window = all.take(PAGE_ITEMS_MAX).take_while(|one| {
        shown += usize::from(one.is_shown());
        shown <= shown_max
    });
    window.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_writing_whatever_the_name() {
        let cursor = Cursor {
            synced: 7,
            feed_version: u64::MAX,
            pinned: true,
            last_time: 0,
            name: "g/a.b.c",
        };
        let text = cursor.write();
        let read = Cursor::parse(&text).unwrap();
        assert_eq!(
            (read.synced, read.feed_version, read.last_time, read.name),
            (7, u64::MAX, 0, "g/a.b.c")
        );
        assert!(read.pinned);
        assert!(Cursor::parse("nonsense").is_none());
    }
}
