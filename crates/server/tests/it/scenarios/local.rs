//! Steps about what a device keeps, and what is looked at of it.

use anser_domain::Timestamp;
use anser_sdk::Client;
use anser_sdk::core::Outgoing;
use anser_sdk::database::{LOCAL_PAGE_MAX, MessageQuery, SearchQuery};
use anser_sdk::driver::LocalDatabase;
use anser_sdk::model::{Content, Message};
use serde_json::{Value, json};

use super::actors::Names;
use super::args::Args;
use super::looks::{compare, database};
use super::steps::Failure;

/// What an import says of the time of a message: so many milliseconds before it, by its sequence.
const IMPORTED: u64 = 1_700_000_000_000;

/// False: there is no such step.
pub(super) async fn step(
    name: &str,
    args: &Args,
    client: &Client,
    names: &Names,
) -> Result<bool, Failure> {
    let at = names.conversation(&args.text("in"));
    match name {
        "queue" => {
            let to = names.conversation(&args.text("to"));
            let text = Content::text(args.text("text"));
            client.queue(Outgoing::new(to, text)).await?;
        }
        "draft" => database(client).set_draft(at, args.text("text")).await?,
        "import" => {
            let given = args.get("messages").and_then(Value::as_array);
            let messages = given.into_iter().flatten().map(|one| {
                let seq = one["seq"].as_u64().unwrap();
                Message {
                    conversation: at.clone(),
                    seq,
                    message_id: format!("{at}-{seq}"),
                    sender: names.user(one["sender"].as_str().unwrap()),
                    time: Timestamp(IMPORTED + seq),
                    content: Content::text(one["text"].as_str().unwrap()),
                    ..Message::default()
                }
            });
            database(client).import(messages.collect()).await?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// `None`: there is no such expectation.
pub(super) async fn look(
    name: &str,
    args: &Args,
    client: &Client,
    names: &Names,
) -> Result<Option<(Value, Value)>, Failure> {
    let (database, at) = (database(client), args.maybe_text("in"));
    let at = at.map(|at| names.conversation(&at));
    let here = at.clone().unwrap_or_default();
    Ok(Some(match name {
        "expect_local" => compare(&kept(args, database, here).await?, args, names),
        "expect_local_search" => {
            let query = SearchQuery {
                text: args.text("query"),
                conversation: at,
                sender: args.maybe_text("sender").map(|user| names.user(&user)),
                ..SearchQuery::default()
            };
            let page = database.search(query).await?;
            // Other conversations of the device are not the scenario's.
            let found = page.messages.iter().map(|stored| &stored.message);
            compare(found, args, names)
        }
        "expect_draft" => {
            let draft = database.draft(here).await?;
            (json!(draft), json!(args.text("text")))
        }
        "expect_queued" => {
            let queued = database.queued(here).await?;
            let waiting = queued.iter().filter(|queued| queued.failed.is_none());
            let texts = waiting.map(|queued| queued.outgoing.content.as_text());
            let texts: Vec<_> = texts.collect();
            (json!(texts), json!(args.texts("texts")))
        }
        _ => return Ok(None),
    }))
}

/// Messages as they are kept, ascending.
async fn kept(
    args: &Args,
    database: &LocalDatabase,
    conversation: String,
) -> Result<Vec<Message>, Failure> {
    let query = MessageQuery {
        conversation,
        limit: LOCAL_PAGE_MAX,
        ..MessageQuery::default()
    };
    let all = database.messages(query.clone()).await?.messages;
    // A moment is said by the message that came then.
    let time = |seq: Option<u64>| {
        let found = all.iter().find(|stored| Some(stored.message.seq) == seq);
        found.map(|stored| stored.message.time)
    };
    if let Some(seq) = args.maybe_number("seq") {
        let id = all.iter().find(|stored| stored.message.seq == seq);
        let id = id.map(|stored| stored.message.message_id.clone());
        let found = database.message(id.unwrap_or_default()).await?;
        return Ok(found.into_iter().map(|stored| stored.message).collect());
    }
    let query = MessageQuery {
        kind: args.maybe_text("type"),
        since: time(args.maybe_number("since")),
        until: time(args.maybe_number("until")),
        ..query
    };
    let mut messages = database.messages(query).await?.messages;
    messages.reverse();
    Ok(messages.into_iter().map(|stored| stored.message).collect())
}
