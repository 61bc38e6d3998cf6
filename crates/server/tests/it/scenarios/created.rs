//! Steps about conversations that users create, and what is looked at of them.

use std::collections::BTreeSet;

use anser_sdk::Client;
use anser_sdk::model::{ConversationQuery, CreatedUpdate, GroupRole, NewConversation};
use serde_json::{Map, Value, json};

use super::Stage;
use super::actors::{Actor, Names};
use super::args::Args;
use super::looks::{Look, called, part, users};
use super::steps::{Failure, HOUR, named_json};

/// False: there is no such step.
pub(super) async fn step(
    stage: &Stage,
    name: &str,
    args: &Args,
    client: &Client,
) -> Result<bool, Failure> {
    match name {
        "create_conversation" => create(stage, args).await?,
        "change_conversation" => change(args, client, &stage.names).await?,
        _ => return Ok(false),
    }
    Ok(true)
}

async fn create(stage: &Stage, args: &Args) -> Result<(), Failure> {
    let names = &stage.names;
    let create = async |by: String| {
        let me = Actor::user_of(&by);
        let others = args.texts("members").into_iter().filter(|one| one != me);
        let others: Vec<String> = others.collect();
        let new = NewConversation {
            name: args.text("name"),
            members: names.users(&others),
            attributes: args
                .get("attributes")
                .map(Value::to_string)
                .unwrap_or_default(),
            public: args.flag("public"),
            unique: args.flag("unique"),
            temporary: args.flag("temporary"),
            seconds: args.small("seconds"),
        };
        let made = stage.actor(&by)?.client.create_conversation(new).await?;
        Ok::<_, Failure>((made.conversation, made.reused))
    };
    let made = futures::future::try_join_all(args.by().into_iter().map(create)).await?;
    let answers: BTreeSet<&String> = made.iter().map(|(conversation, _)| conversation).collect();
    let fresh = made.iter().filter(|(_, reused)| !reused).count();
    let name = args.text("as");
    let [one] = answers.into_iter().collect::<Vec<_>>()[..] else {
        return Err(format!("they got {made:?}").into());
    };
    match args.flag("reused") {
        true if fresh > 0 || *one != names.conversation(&format!("c/{name}")) => {
            return Err("it is another one".to_owned().into());
        }
        false if fresh != 1 => return Err(format!("{fresh} were made").into()),
        _ => {}
    }
    names.created(&name, one);
    Ok(())
}

/// Who, and for how long.
fn users_for(value: &Value, names: &Names) -> (Vec<String>, u64) {
    let users = names.users(&super::strings(&value["users"]));
    let seconds = match value["lift"].as_bool() {
        Some(true) => 0,
        _ => value["seconds"].as_u64().unwrap_or(HOUR),
    };
    (users, seconds)
}

fn update(value: &Value) -> CreatedUpdate {
    let flag = |key: &str| value[key].as_bool();
    let known = [
        "name",
        "set",
        "unset",
        "public",
        "open",
        "muted",
        "history_visible",
    ];
    let keys = value.as_object().into_iter().flat_map(Map::keys);
    for key in keys {
        assert!(known.contains(&key.as_str()), "nothing updates {key}");
    }
    let set = value["set"].as_object().cloned().unwrap_or_default();
    CreatedUpdate {
        name: value["name"].as_str().map(ToOwned::to_owned),
        set_attributes: set
            .into_iter()
            .map(|(path, value)| (path, value.to_string()))
            .collect(),
        unset_attributes: super::strings(&value["unset"]),
        public: flag("public"),
        open: flag("open"),
        muted: flag("muted"),
        history_visible: flag("history_visible"),
    }
}

/// The one change that is named.
async fn change(args: &Args, client: &Client, names: &Names) -> Result<(), Failure> {
    let at = names.conversation(&args.text("in"));
    let who = |value: &Value| names.users(&super::strings(value));
    let [what] = &args.others(&["by", "in", "refused", "eventually"])[..] else {
        return Err("it says not one change".to_owned().into());
    };
    let value = args.get(what).cloned().unwrap_or_default();
    match what.as_str() {
        "invite" => drop(client.invite_to_conversation(at, who(&value)).await?),
        "remove" => drop(client.remove_from_conversation(at, who(&value)).await?),
        "leave" => client.leave_conversation(at).await?,
        "join" => drop(client.join_conversation(at).await?),
        "update" => {
            let update = update(&value);
            client.update_created_conversation(at, update).await?;
        }
        "set_role" => {
            let role = match value["role"].as_str() {
                Some("admin") => GroupRole::Admin,
                _ => GroupRole::Member,
            };
            let users = who(&value["users"]);
            client.set_conversation_role(at, users, role).await?;
        }
        "transfer" => {
            let owner = names.user(value.as_str().unwrap_or_default());
            client.transfer_conversation(at, owner).await?;
        }
        "dismiss" => client.dismiss_conversation(at).await?,
        "mute" => {
            let (users, seconds) = users_for(&value, names);
            client.mute_in_conversation(at, users, seconds).await?;
        }
        "block" => {
            let (users, seconds) = users_for(&value, names);
            client.block_from_conversation(at, users, seconds).await?;
        }
        other => return Err(format!("there is no change {other}").into()),
    }
    Ok(())
}

/// `None`: there is no such expectation.
pub(super) async fn look(
    name: &str,
    args: &Args,
    client: &Client,
    names: &Names,
) -> Result<Option<(Value, Value)>, Failure> {
    let at = names.conversation(&args.text("in"));
    Ok(Some(match name {
        "expect_created" => {
            let seen = client.get_created_conversation(at).await?;
            let attributes: Value = serde_json::from_str(&seen.attributes).unwrap_or_default();
            let view = json!({
                "name": seen.name,
                "owner": names.plain(&seen.owner),
                "managers": names.plain_all(&seen.managers),
                "members": seen.member_count,
                "attributes": attributes,
                "unique": seen.unique,
                "public": seen.settings.public,
                "open": seen.settings.open,
                "muted": seen.settings.muted,
                "history_visible": seen.settings.history_visible,
            });
            part(&view, args, &["in"])
        }
        "expect_conversation_members" => {
            let muted = args.flag("muted");
            let page = client.conversation_members(at, muted, "", 0).await?;
            let members = page.members.iter();
            let seen = members.map(|one| (names.plain(&one.user_id), json!(called(one))));
            let wanted = args.get("members").cloned().unwrap_or_default();
            (Value::Object(seen.collect()), wanted)
        }
        "expect_conversation_blocks" => {
            let page = client.conversation_blocks(at, "", 0).await?;
            users(&page, args, names)
        }
        "expect_query" => query(args, client, names).await?,
        _ => return Ok(None),
    }))
}

async fn query(args: &Args, client: &Client, names: &Names) -> Look {
    let filter = args.get("filter").map(|filter| named_json(filter, names));
    let query = ConversationQuery {
        filter: filter.map(|filter| filter.to_string()).unwrap_or_default(),
        sort: args.texts("sort"),
        skip: args.small("skip"),
        limit: args.small("limit"),
    };
    let found = client.query_conversations(query).await?;
    let seen = found.conversations.iter().map(|one| &one.conversation);
    let wanted = args.texts("conversations");
    let matched = args.maybe_number("matched").unwrap_or(wanted.len() as u64);
    Ok((
        json!([names.plain_all(seen), found.matched, found.complete]),
        json!([wanted, matched, true]),
    ))
}
