//! What each step does.

use std::future::Future;
use std::time::Duration;

use anser_sdk::Client;
use anser_sdk::core::Outgoing;
use anser_sdk::model::{
    Content, ConversationSettings, DefinedRole, GroupMemberUpdate, GroupRole, GroupUpdate,
    JoinMode, Mention, Mute,
};
use serde_json::Value;
use tokio::time::Instant;

use super::actors::Names;
use super::args::Args;
use super::{Stage, apps, created, local, looks, media, people, rooms, system};

/// How long a mute or a ban of a scenario lasts, in seconds.
pub(super) const HOUR: u64 = 3_600;
/// How long an expectation may take to hold.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// What went wrong with a command.
pub(super) enum Failure {
    /// The client or the server refused it.
    Refused(anser_sdk::Error),
    /// The server API refused it, or it is not what the scenario says.
    Other(String),
}

impl From<anser_sdk::Error> for Failure {
    fn from(error: anser_sdk::Error) -> Self {
        Self::Refused(error)
    }
}

impl From<String> for Failure {
    fn from(why: String) -> Self {
        Self::Other(why)
    }
}

impl Failure {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Refused(error) => format!("{}: {}", error.name, error.message),
            Self::Other(why) => why.clone(),
        }
    }

    fn is(&self, code: &str) -> bool {
        match self {
            Self::Refused(error) => error.name == code,
            // The server API's errors carry the name in their text.
            Self::Other(why) => why.contains(&format!("\"{code}\"")),
        }
    }
}

/// Carries one step out; what did not go as it says.
pub(super) async fn perform(stage: &Stage, name: &str, args: &Args) -> Result<(), String> {
    if ["offline", "online", "unplug", "plug"].contains(&name) {
        for device in &args.devices {
            let actor = stage.actor(device)?;
            match name {
                "online" => actor.connect().await.map_err(|failure| failure.text())?,
                "offline" => actor.client.disconnect().await,
                _ => actor.plug(name == "plug").await,
            }
        }
        return Ok(());
    }
    if name.starts_with("expect_") {
        return expect(stage, name, args).await;
    }
    let refused = args.maybe_text("refused");
    // To connect is what a person tries again, be it refused for now.
    let eventually = args.flag("eventually") || name == "connect" && refused.is_none();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let done = once(stage, name, args, refused.as_deref()).await;
        if done.is_ok() || !eventually || Instant::now() > deadline {
            return done;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn once(stage: &Stage, name: &str, args: &Args, refused: Option<&str>) -> Result<(), String> {
    let patient = refused.is_none() && is_own_view(name);
    let done = once_listed(patient, || command(stage, name, args)).await;
    match (done, refused) {
        (Ok(true), None) => Ok(()),
        (Ok(true), Some(code)) => Err(format!("it was not refused with {code}")),
        (Ok(false), _) => Err(format!("there is no step {name}")),
        (Err(failure), Some(code)) if failure.is(code) => Ok(()),
        (Err(failure), _) => Err(failure.text()),
    }
}

/// A new conversation is in a user's list a moment after its first message.
async fn once_listed<F: Future<Output = Result<bool, Failure>>>(
    patient: bool,
    run: impl Fn() -> F,
) -> Result<bool, Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match run().await {
            Err(Failure::Refused(error))
                if patient && error.name == "NOT_FOUND" && Instant::now() < deadline =>
            {
                tokio::time::sleep(PAUSE).await;
            }
            done => return done,
        }
    }
}

async fn expect(stage: &Stage, name: &str, args: &Args) -> Result<(), String> {
    let devices = match args.get("on") {
        Some(Value::String(one)) => vec![one.clone()],
        Some(several) => super::strings(several),
        None => return Err("an expectation says on which device".to_owned()),
    };
    for device in devices {
        let actor = stage.actor(&device)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let look = looks::look(stage, name, args, actor).await;
            let (seen, wanted) = look.map_err(|failure| failure.text())?;
            if seen == wanted {
                break;
            }
            if Instant::now() > deadline {
                return Err(format!("on {device}: {seen} is not {wanted}"));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(())
}

/// False: there is no such step.
async fn command(stage: &Stage, name: &str, args: &Args) -> Result<bool, Failure> {
    if apps::step(stage, name, args).await? {
        return Ok(true);
    }
    let Some(by) = args.by().into_iter().next() else {
        return Ok(false);
    };
    let (actor, names) = (stage.actor(&by)?, &stage.names);
    let client = &actor.client;
    if name == "connect" {
        actor.connect().await?;
        return Ok(true);
    }
    Ok(about_messages(name, args, client, names).await?
        || own_view(name, args, client, names).await?
        || groups(name, args, client, names).await?
        || members(name, args, client, names).await?
        || created::step(stage, name, args, client).await?
        || system::step(name, args, client, names).await?
        || local::step(name, args, client, names).await?
        || media::step(name, args, client, names).await?
        || people::step(name, args, actor, names).await?
        || rooms::step(name, args, actor, names).await?)
}

/// Data with the names in it as they are called here.
pub(super) fn named_json(data: &Value, names: &Names) -> Value {
    serde_json::from_str(&named(&data.to_string(), names, false)).unwrap()
}

/// A text with the names in it as they are called here: `{user:ann}`, `{in:g/lake}`,
/// `{media:goose}`, `{room:hall}`.
pub(super) fn named(text: &str, names: &Names, in_path: bool) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = ["{user:", "{in:", "{media:", "{room:"]
        .into_iter()
        .filter_map(|kind| rest.find(kind))
        .min()
    {
        let Some(end) = rest[at..].find('}').map(|end| at + end) else {
            break;
        };
        let id = match rest[at + 1..end].split_once(':') {
            Some(("in", id)) => names.conversation(id),
            Some(("media", id)) => names.media(id),
            Some((_, id)) => names.user(id),
            None => break,
        };
        out += &rest[..at];
        out += &if in_path { id.replace('/', "%2F") } else { id };
        rest = &rest[end + 1..];
    }
    out + rest
}

/// Texts of one that is sent once, or of several.
fn texts(args: &Args) -> Vec<String> {
    let text = args.text("text");
    match (args.maybe_number("bytes"), args.maybe_number("times")) {
        (Some(bytes), _) => vec!["x".repeat(usize::try_from(bytes).unwrap())],
        (None, None) => vec![text],
        (None, Some(times)) => (1..=times).map(|n| format!("{text}{n}")).collect(),
    }
}

fn mention(args: &Args, names: &Names) -> Option<Mention> {
    let overrides_mute = args.flag("overrides_mute");
    let (all, users) = match args.get("mention")? {
        Value::String(_) => (true, Vec::new()),
        users => (false, names.users(&super::strings(users))),
    };
    Some(Mention {
        all,
        users,
        overrides_mute,
    })
}

fn content(args: &Args, text: &str, names: &Names) -> Content {
    let kind = args.maybe_text("type").unwrap_or_else(|| "text".to_owned());
    let body = args
        .maybe_text("body")
        .map(|body| named(&body, names, false));
    let body = body.unwrap_or_else(|| text.to_owned());
    Content {
        kind,
        body: body.into(),
    }
}

async fn send(args: &Args, client: &Client, names: &Names) -> Result<(), Failure> {
    for text in texts(args) {
        let sent = client
            .send(Outgoing {
                client_message_id: args.maybe_text("id"),
                read_up_to: args.number("read_up_to"),
                uncounted: args.flag("uncounted"),
                mention: mention(args, names),
                targets: names.users(&args.texts("targets")),
                burn_after_seconds: args.small("burn_after"),
                receipt_wanted: args.flag("receipt_wanted"),
                ..Outgoing::new(
                    names.conversation(&args.text("to")),
                    content(args, &text, names),
                )
            })
            .await?;
        if args.maybe_number("seq").is_some_and(|seq| seq != sent.seq) {
            return Err(format!("it is number {}", sent.seq).into());
        }
    }
    Ok(())
}

async fn about_messages(
    name: &str,
    args: &Args,
    client: &Client,
    names: &Names,
) -> Result<bool, Failure> {
    let to = names.conversation(&args.text("to"));
    let at = names.conversation(&args.text("in"));
    match name {
        "send" => send(args, client, names).await?,
        "transient" => client.send_transient(to, content(args, "", names)).await?,
        "will" => {
            let text = Content::text(args.text("text"));
            client.set_will(Outgoing::new(to, text)).await?;
        }
        "recall" => drop(client.recall(at, args.number("seq")).await?),
        "edit" => {
            for text in texts(args) {
                let (content, mention) = (content(args, &text, names), mention(args, names));
                client
                    .edit(&at, args.number("seq"), content, mention)
                    .await?;
            }
        }
        "expand" => {
            let (put, remove) = (args.map("put").collect(), args.texts("remove"));
            client
                .update_expansion(at, args.number("seq"), put, remove)
                .await?;
        }
        "react" => {
            let (seq, reaction) = (args.number("seq"), args.text("reaction"));
            match args.flag("remove") {
                true => client.unreact(at, seq, reaction).await?,
                false => client.react(at, seq, reaction).await?,
            };
        }
        "logout" => client.logout().await?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// Does it need the conversation to be in the user's list?
fn is_own_view(name: &str) -> bool {
    [
        "read",
        "deliver",
        "acknowledge",
        "delete",
        "clear",
        "settings",
        "delete_conversation",
    ]
    .contains(&name)
}

async fn own_view(
    name: &str,
    args: &Args,
    client: &Client,
    names: &Names,
) -> Result<bool, Failure> {
    let at = names.conversation(&args.text("in"));
    match name {
        "read" => drop(client.mark_read(at, args.number("seq")).await?),
        "deliver" => client.mark_delivered(at, args.number("seq")).await?,
        "acknowledge" => client.acknowledge(at, args.numbers("seqs")).await?,
        "delete" => client.delete_messages(at, args.numbers("seqs")).await?,
        "clear" => drop(client.clear_history(at, args.number("up_to")).await?),
        "settings" => {
            let settings = ConversationSettings {
                pinned: args.maybe_flag("pinned"),
                muted: args.maybe_text("muted").map(|muted| mute(&muted)),
                hidden: args.maybe_flag("hidden"),
                marks: args.get("marks").map(super::strings),
                draft: args.maybe_text("draft"),
            };
            client.update_conversation(at, settings).await?;
        }
        "delete_conversation" => {
            client
                .delete_conversation(at, args.flag("with_history"))
                .await?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn mute(text: &str) -> Mute {
    match text {
        "none" => Mute::None,
        "except-mentions" => Mute::ExceptMentions,
        "all" => Mute::All,
        other => panic!("nobody mutes {other}"),
    }
}

fn join_mode(text: &str) -> JoinMode {
    match text {
        "approval" => JoinMode::Approval,
        "public" => JoinMode::Public,
        "closed" => JoinMode::Closed,
        other => panic!("nobody joins by {other}"),
    }
}

async fn groups(name: &str, args: &Args, client: &Client, names: &Names) -> Result<bool, Failure> {
    let group = names.user(&args.text("group"));
    match name {
        "create_group" => {
            let called = args
                .maybe_text("name")
                .unwrap_or_else(|| args.text("group"));
            let members = names.users(&args.texts("members"));
            client.create_group(group, called, members).await?;
        }
        "quit_group" => client.quit_group(group).await?,
        "dismiss_group" => client.dismiss_group(group).await?,
        "update_group" => {
            let update = GroupUpdate {
                name: args.maybe_text("name"),
                announcement: args.maybe_text("announcement"),
                portrait: args.maybe_text("portrait"),
                put_attributes: args.map("put").collect(),
                remove_attributes: args.texts("remove"),
                join: args.maybe_text("join").map(|join| join_mode(&join)),
                invitations_need_acceptance: args.maybe_flag("invitations_need_acceptance"),
                only_admins_invite: args.maybe_flag("only_admins_invite"),
                muted: args.maybe_flag("muted"),
                history_visible: args.maybe_flag("history_visible"),
            };
            client.update_group(group, update).await?;
        }
        "transfer_group" => {
            let owner = names.user(&args.text("owner"));
            client.transfer_group(group, owner).await?;
        }
        "define_role" => {
            let name = args.text("role");
            match args.get("rights").map(super::strings) {
                Some(rights) => {
                    let role = DefinedRole { name, rights };
                    client.define_group_role(group, role).await?
                }
                None => client.remove_group_role(group, name).await?,
            };
        }
        "join_group" => {
            let (message, expected) = (args.text("message"), args.flag("joined"));
            let joined = client.join_group(group, message).await?.is_some();
            if joined != expected {
                return Err(format!("joined: {joined}").into());
            }
        }
        "answer_invitation" => match args.flag("accept") {
            true => drop(client.accept_group_invitation(group).await?),
            false => client.decline_group_invitation(group).await?,
        },
        _ => return Ok(false),
    }
    Ok(true)
}

async fn members(name: &str, args: &Args, client: &Client, names: &Names) -> Result<bool, Failure> {
    let group = names.user(&args.text("group"));
    let given = |key: &str| names.users(&args.texts(key));
    let seconds = || match args.flag("lift") {
        true => 0,
        false => args.maybe_number("seconds").unwrap_or(HOUR),
    };
    match name {
        "add_members" => client.add_group_members(group, given("members")).await?,
        "remove_members" => client.remove_group_members(group, given("members")).await?,
        "set_role" => {
            let (role, own) = match args.text("role").as_str() {
                "admin" => (GroupRole::Admin, String::new()),
                "member" => (GroupRole::Member, String::new()),
                own => (GroupRole::Member, own.to_owned()),
            };
            client
                .set_group_role(group, given("members"), role, own)
                .await?;
        }
        "update_member" => {
            let update = GroupMemberUpdate {
                user_id: args
                    .maybe_text("user")
                    .map_or_else(String::new, |user| names.user(&user)),
                nickname: args.maybe_text("nickname"),
                put_attributes: args.map("put").collect(),
                remove_attributes: args.texts("remove"),
            };
            client.update_group_member(group, update).await?;
        }
        "mute_members" => {
            client
                .mute_group_members(group, given("members"), seconds())
                .await?
        }
        "exempt_members" => {
            let exempt = !args.flag("lift");
            client
                .exempt_group_members(group, given("members"), exempt)
                .await?;
        }
        "ban_users" => {
            client
                .ban_group_users(group, given("users"), seconds())
                .await?
        }
        "decide_requests" => {
            let approve = args.flag("approve");
            client
                .decide_join_requests(group, given("users"), approve)
                .await?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}
