//! Sessions of clients: opening one, keeping it, and who is online.

use std::fmt::Write as _;
use std::sync::Arc;

use anser_domain::{Code, DeviceId, Platform, Reject, UserId};
use anser_engine::session::NewSession;
use ring::digest::{SHA256, digest};

use super::caller::{Answer, Caller, answer, check_signed};
use super::event::millis;
use super::sink::ClientSink;
use super::unread;
use super::way::Way;
use crate::leancloud::error::{Doing, Kind, Refusal};
use crate::leancloud::session_token::{self, Claims, LIFE_SECONDS};
use crate::leancloud::signature::Operation;
use crate::leancloud::wire::{CommandType, GenericCommand, OpType, SessionCommand};
use crate::leancloud::{App, LeanCloud};

/// Clients asked about at a time.
const ASKED_MAX: usize = 20;
/// Bytes of a tag, of a device's name, and of what the client says of itself.
const TEXT_BYTES_MAX: usize = 256;
/// Bytes of an SDK's name that are kept.
const AGENT_BYTES_MAX: usize = 64;
/// The tag of those who have none.
const NO_TAG: &str = "default";

/// A session that was opened.
pub(super) struct Opened {
    pub(super) caller: Caller,
    pub(super) answer: GenericCommand,
}

/// Why it was not.
pub(super) enum NotOpened {
    Refused(Refusal),
    /// Another device has taken the place of this one, and is not put out for it.
    Conflict,
}

impl From<Refusal> for NotOpened {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Kind> for NotOpened {
    fn from(kind: Kind) -> Self {
        Self::Refused(kind.into())
    }
}

/// Opens a session. `client` is who asks to be in; one without a name is given one.
pub(super) async fn open(
    door: LeanCloud,
    way: Arc<Way>,
    app_id: String,
    client: Option<String>,
    command: SessionCommand,
) -> Result<Opened, NotOpened> {
    let app = door
        .app(&app_id)
        .await
        .map_err(|reject| match reject.code {
            Code::NotFound => Refusal::from(Kind::AppNotAvailable),
            _ => Refusal::of(reject, Doing::Session),
        })?;
    let claims = claims(&door, &app, client, &command)?;
    let user = UserId::new(&claims.user).map_err(|_| Kind::InvalidLogin)?;
    let comes_back = command.r.unwrap_or(false);
    let device = device(&claims.tag, &claims.device);
    make_room(&door, &app, &user, &claims.tag, &device, comes_back).await?;
    let sink = ClientSink::new(way.clone(), door.env.clone(), user.clone());
    let agent = command.ua.as_deref().unwrap_or("leancloud");
    let new = NewSession {
        app: app.id,
        user: user.clone(),
        device,
        platform: Platform::Web,
        client: printable(agent).into(),
        attempt: 0,
    };
    let opened = door.engine.open_session(new, sink.clone()).await;
    let opened = opened.map_err(|reject| Refusal::of(reject, Doing::Session))?;
    // Nobody else knows the sink yet.
    let _ = sink.session.set(opened.id);
    let caller = Caller {
        door: door.clone(),
        app: app.clone(),
        user,
        session: opened.id,
        sink,
    };
    let since = unread::Since {
        unread: command.last_unread_notif_time,
        patched: command.last_patch_time.filter(|_| comes_back),
    };
    // What it missed is told behind the answer, or learned by asking if it can't be found out now.
    if let Err(reject) = unread::tell(&caller, since, way.form.pushes_offline).await {
        tracing::warn!(%reject, "a client could not be told what it missed");
    }
    let st = session_token::mint(&app.settings, &claims);
    let answer = GenericCommand {
        peer_id: Some(claims.user),
        server_ts: Some(millis(opened.server_time)),
        session_message: Some(SessionCommand {
            st: Some(st),
            st_ttl: i32::try_from(LIFE_SECONDS).ok(),
            ..SessionCommand::default()
        }),
        ..answer(CommandType::Session, Some(OpType::Opened))
    };
    Ok(Opened { caller, answer })
}

/// Who it is, by a token or by a signature.
fn claims(
    door: &LeanCloud,
    app: &App,
    client: Option<String>,
    command: &SessionCommand,
) -> Result<Claims, Refusal> {
    let now = door.env.now();
    if let Some(st) = command.st.as_deref().filter(|st| !st.is_empty()) {
        let claims = session_token::read(&app.settings, st, now.0);
        let claims = claims.filter(|claims| client.as_ref().is_none_or(|it| *it == claims.user));
        return claims
            .map(|claims| Claims {
                issued: now.0,
                config: command.config_bitmap.unwrap_or(claims.config),
                ..claims
            })
            .ok_or_else(|| Kind::SessionTokenExpired.into());
    }
    let user = client
        .filter(|client| !client.is_empty())
        .unwrap_or_else(|| door.env.message_id(now).to_string());
    let given = (command.t, command.n.as_deref(), command.s.as_deref());
    if app.settings.sign_login && !check_signed(door, app, &user, Operation::Login, given) {
        return Err(Kind::SignatureFailed.into());
    }
    let text = |text: &Option<String>| {
        let text = text.as_deref().unwrap_or_default();
        let fits = text.len() <= TEXT_BYTES_MAX;
        fits.then(|| text.to_owned())
            .ok_or_else(|| Refusal::new(Kind::InvalidLogin, "tag or device is too long"))
    };
    let device = match &command.device_id {
        Some(device) => text(&Some(device.clone()))?,
        None => text(&command.device_token)?,
    };
    Ok(Claims {
        user,
        tag: text(&command.tag)?,
        device,
        config: command.config_bitmap.unwrap_or(0),
        issued: now.0,
    })
}

/// The name of an installation: its own, behind that of its tag.
fn device(tag: &str, device: &str) -> DeviceId {
    let short = |text: &str| {
        let hash = digest(&SHA256, text.as_bytes());
        hash.as_ref()[..8].iter().fold(String::new(), |mut hex, b| {
            write!(hex, "{b:02x}").expect("a string takes everything");
            hex
        })
    };
    let name = format!("lc-{}-{}", short(tag), short(device));
    DeviceId::new(&name).expect("letters, digits and hyphens are a name")
}

/// Of a tag, a client has one device at a time: a login puts the other out, one that only comes
/// back does not.
async fn make_room(
    door: &LeanCloud,
    app: &App,
    user: &UserId,
    tag: &str,
    own: &DeviceId,
    comes_back: bool,
) -> Result<(), NotOpened> {
    if tag.is_empty() || tag == NO_TAG {
        return Ok(());
    }
    let failed = |reject: Reject| Refusal::of(reject, Doing::Session);
    let engine = &door.engine;
    let sessions = engine.sessions(app.id, user).await.map_err(failed)?;
    // The part of the tag: "lc-", 16 digits, a hyphen.
    let same_tag = |device: &DeviceId| device.as_str().get(..20) == own.as_str().get(..20);
    let mut others: Vec<DeviceId> = sessions
        .into_iter()
        .map(|session| session.device)
        .filter(|device| same_tag(device) && device != own)
        .collect();
    others.dedup();
    if comes_back && !others.is_empty() {
        return Err(NotOpened::Conflict);
    }
    for device in others {
        let replaced = engine.replace_device(app.id, user, &device).await;
        replaced.map_err(failed)?;
    }
    Ok(())
}

fn printable(agent: &str) -> String {
    let mut text: String = agent.chars().filter(|c| !c.is_control()).collect();
    while text.len() > AGENT_BYTES_MAX {
        text.pop();
    }
    text
}

/// A token that lasts longer.
pub(super) fn refresh(caller: &Caller, command: &SessionCommand) -> Answer {
    let settings = &caller.app.settings;
    let now = caller.door.env.now();
    let st = command.st.as_deref().unwrap_or_default();
    let claims = session_token::read(settings, st, now.0);
    let claims = claims.filter(|claims| claims.user == caller.user.as_str());
    let claims = claims.ok_or(Kind::SessionTokenExpired)?;
    let issued = now.0;
    let st = session_token::mint(settings, &Claims { issued, ..claims });
    Ok(GenericCommand {
        session_message: Some(SessionCommand {
            st: Some(st),
            st_ttl: i32::try_from(LIFE_SECONDS).ok(),
            ..SessionCommand::default()
        }),
        ..answer(CommandType::Session, Some(OpType::Refreshed))
    })
}

/// Which of these clients are online.
pub(super) async fn query(caller: Caller, command: SessionCommand) -> Answer {
    let asked = &command.session_peer_ids;
    if asked.len() > ASKED_MAX {
        return Err(Refusal::new(
            Kind::UnparseableRawMessage,
            "at most 20 at once",
        ));
    }
    let mut online = Vec::new();
    for client in asked {
        let Ok(user) = UserId::new(client) else {
            continue;
        };
        let sessions = caller.engine().sessions(caller.app_id(), &user).await;
        let sessions = sessions.map_err(|reject| Refusal::of(reject, Doing::Session))?;
        if !sessions.is_empty() {
            online.push(client.clone());
        }
    }
    Ok(GenericCommand {
        session_message: Some(SessionCommand {
            online_session_peer_ids: online,
            ..SessionCommand::default()
        }),
        ..answer(CommandType::Session, Some(OpType::QueryResult))
    })
}

/// The answer that a session is over.
pub(super) fn closed(code: Option<Kind>) -> GenericCommand {
    GenericCommand {
        session_message: Some(SessionCommand {
            code: code.map(Kind::number),
            reason: code.map(|kind| kind.reason().to_owned()),
            ..SessionCommand::default()
        }),
        ..answer(CommandType::Session, Some(OpType::Closed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_of_a_tag_begin_alike() {
        let (one, other) = (device("Web", "a"), device("Web", "b"));
        assert_ne!(one, other);
        assert_eq!(one.as_str()[..20], other.as_str()[..20]);
        let mobile = device("Mobile", "a");
        assert_ne!(one.as_str()[..20], mobile.as_str()[..20]);
        assert_eq!(device("Web", "a"), one);
    }

    #[test]
    fn what_a_client_says_of_itself_is_cut() {
        let long = "é\n".repeat(100);
        assert!(printable(&long).len() <= AGENT_BYTES_MAX);
        assert!(!printable(&long).contains('\n'));
    }
}
