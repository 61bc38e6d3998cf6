//! Steps about other people — lists, presence — and the search, and what is looked at of them.

use anser_domain::Platform;
use anser_sdk::model::{MessageSearch, Presence, RelationList, RelationUpdate};
use serde_json::{Value, json};

use super::actors::{Actor, Names};
use super::args::Args;
use super::looks::{Look, part};
use super::steps::{Failure, HOUR};

fn list(args: &Args) -> RelationList {
    match args.text("list").as_str() {
        "blocked" => RelationList::Blocked,
        "allowed" => RelationList::Allowed,
        other => panic!("there is no list {other}"),
    }
}

/// False: there is no such step.
pub(super) async fn step(
    name: &str,
    args: &Args,
    actor: &Actor,
    names: &Names,
) -> Result<bool, Failure> {
    let client = &actor.client;
    match name {
        "relations" => {
            let update = RelationUpdate {
                list: list(args),
                add: names.users(&args.texts("add")),
                remove: names.users(&args.texts("remove")),
                allow_only: args.maybe_flag("allow_only"),
            };
            client.update_relations(update).await?;
        }
        "set_status" => {
            let seconds = u32::try_from(HOUR).unwrap();
            client
                .set_presence_status(args.text("status"), seconds)
                .await?;
        }
        "subscribe_presence" => {
            let users = names.users(&args.texts("users"));
            let seconds = if args.flag("end") { 0 } else { HOUR };
            let seconds = u32::try_from(seconds).unwrap();
            let now = client.subscribe_presence(users, seconds).await?;
            let mut heard = actor.heard.lock().unwrap();
            for presence in now {
                heard.presences.insert(presence.user.clone(), presence);
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// `None`: there is no such expectation.
pub(super) async fn look(
    name: &str,
    args: &Args,
    actor: &Actor,
    names: &Names,
) -> Result<Option<(Value, Value)>, Failure> {
    let client = &actor.client;
    Ok(Some(match name {
        "expect_relations" => {
            let page = client.relations(list(args), "", 0).await?;
            let users = names.plain_all(&page.users);
            let seen = json!({ "users": users, "allow_only": page.allow_only });
            part(&seen, args, &["list"])
        }
        "expect_relations_told" => {
            let heard = actor.heard.lock().unwrap();
            let told = names.plain_all(&heard.relations);
            (json!(told), json!(args.texts("told")))
        }
        "expect_presence" => {
            let asked = vec![names.user(&args.text("user"))];
            let now = client.presence(asked).await?;
            part(&view(now.first()), args, &["user"])
        }
        "expect_presence_told" => {
            let user = names.user(&args.text("user"));
            let heard = actor.heard.lock().unwrap();
            part(&view(heard.presences.get(&user)), args, &["user"])
        }
        "expect_subscriptions" => {
            let all = client.presence_subscriptions().await?;
            let users = names.plain_all(all.iter().map(|one| &one.user));
            (json!(users), json!(args.texts("users")))
        }
        "expect_search" => search(args, actor, names).await?,
        "expect_closed" => {
            let heard = actor.heard.lock().unwrap();
            (json!(heard.closed), json!(args.text("code")))
        }
        _ => return Ok(None),
    }))
}

fn view(presence: Option<&Presence>) -> Value {
    let Some(presence) = presence else {
        return json!({ "devices": [] });
    };
    let online = presence.devices.iter().filter(|device| device.online);
    let mut devices: Vec<Option<&str>> = online
        .map(|device| {
            Some(match device.platform? {
                Platform::Ios => "ios",
                Platform::Android => "android",
                Platform::Web => "web",
                Platform::Desktop => "desktop",
                Platform::MiniProgram => "mini-program",
                Platform::Server => "server",
            })
        })
        .collect();
    devices.sort_unstable();
    json!({ "online": presence.online, "status": presence.status, "devices": devices })
}

async fn search(args: &Args, actor: &Actor, names: &Names) -> Look {
    let at = args.maybe_text("in").map(|at| names.conversation(&at));
    let mut search = MessageSearch {
        text: args.text("query"),
        sender: args.maybe_text("sender").map(|user| names.user(&user)),
        kind: args.maybe_text("type"),
        conversation: at.clone(),
        ..MessageSearch::default()
    };
    let mut seen: Vec<String> = Vec::new();
    loop {
        let page = actor.client.search_messages(search.clone()).await?;
        seen.extend(
            page.messages
                .iter()
                .map(|message| match message.content.as_text() {
                    Some(text) => text.to_owned(),
                    None => format!("<{}>", message.content.kind),
                }),
        );
        if page.cursor.is_empty() {
            break;
        }
        search.cursor = page.cursor;
    }
    let mut wanted = args.texts("messages");
    if at.is_none() {
        // The order of conversations is that of their names, which a scenario does not know.
        seen.sort();
        wanted.sort();
    }
    Ok((json!(seen), json!(wanted)))
}
