//! Sending for users, and reading what was sent.

use anser_domain::{ConversationId, Timestamp, UserId};
use anser_engine::Reply;
use anser_engine::message::{PageRequest, SendMessage as Send, SendOptions};
use axum::Json;
use axum::extract::State;
use futures::channel::oneshot;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use anser_domain::limits::{PAGE_ITEMS_MAX, TARGETS_MAX};
use anser_domain::{Code, Reject};

use super::Api;
use super::auth::App;
use super::change_json::MentionJson;
use super::extract::{
    Body, Object, Path, Query, conversation_id, group_id, json_integer, page_limit, present,
    user_id, users,
};
use super::failure::{ErrorBody, Failure, Result};
use super::message_json::{Content, MessagePageJson, SentJson};
use super::quota::Kind;
use super::spec::{Common, WithBody};

/// A message to send, to exactly one of `to_user`, `to_group` and `conversation`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SendMessage {
    /// The user it is from.
    #[schema(min_length = 1, max_length = 64, example = "alice")]
    sender: String,
    /// The user it is for.
    #[schema(min_length = 1, max_length = 64, example = "bob", value_type = String)]
    #[serde(default, deserialize_with = "present")]
    to_user: Option<String>,
    /// The group it is for.
    #[schema(min_length = 1, max_length = 64, value_type = String)]
    #[serde(default, deserialize_with = "present")]
    to_group: Option<String>,
    /// Or the conversation by its name.
    #[schema(min_length = 3, max_length = 387, pattern = "^(p/[^/]+/[^/]+|[gcts]/[^/]+)$", value_type = String)]
    #[serde(default, deserialize_with = "present")]
    conversation: Option<String>,
    /// 1–64 bytes, unique for this sender in this conversation: a retry with the same one gets the
    /// first result and is never stored twice. Without one, a retry is a second message.
    #[schema(min_length = 1, max_length = 64, value_type = String)]
    #[serde(default, deserialize_with = "present")]
    client_message_id: Option<String>,
    #[schema(value_type = Content)]
    content: Object<Content>,
    /// Whom it mentions.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = MentionJson)]
    mention: Option<MentionJson>,
    /// Online only: pushed to those who are connected, never stored, counted or pushed again, and
    /// first to be dropped. The answer has no sequence then.
    #[serde(default)]
    transient: bool,
    /// Unread for nobody.
    #[serde(default)]
    uncounted: bool,
    /// Only these members of the conversation, and the sender, see it. Empty: everybody.
    #[serde(default)]
    #[schema(max_items = 100)]
    targets: Vec<String>,
    /// The sender wants to know who acknowledges it.
    #[serde(default)]
    receipt_wanted: bool,
    /// Private chats only: deleted for both sides so many seconds after the receiver has read it.
    #[serde(default)]
    #[schema(maximum = 604_800)]
    burn_after_seconds: u32,
}

impl SendMessage {
    fn conversation(&self, sender: &UserId) -> Result<ConversationId> {
        match (&self.to_user, &self.to_group, &self.conversation) {
            (Some(user), None, None) => {
                Ok(ConversationId::private(sender, &user_id("to_user", user)?))
            }
            (None, Some(group), None) => Ok(ConversationId::Group(group_id("to_group", group)?)),
            (None, None, Some(name)) => conversation_id(name),
            _ => Err(Failure::invalid(
                "exactly one of to_user, to_group and conversation says where the message goes",
            )),
        }
    }
}

/// Send a message for a user.
///
/// The answer comes once the message is on disk. Whoever is in the conversation gets it, the
/// sender's own devices included.
#[utoipa::path(
    post, path = "/v1/messages", tag = "messages",
    request_body = SendMessage,
    responses(
        (status = 200, description = "It is on disk.", body = SentJson),
        (status = 403, description = "The sender is not in the conversation, or the content type is the server's.", body = ErrorBody),
        (status = 404, description = "There is no such user or group.", body = ErrorBody),
        (status = 409, description = "The message is a retry that comes too late to be recognised.", body = ErrorBody),
        (status = 410, description = "The group was dismissed.", body = ErrorBody),
        (status = 429, description = "The app sends more than allowed; `Retry-After` says how long to wait.", body = ErrorBody),
        Common, WithBody,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn send_message(
    State(api): State<Api>,
    App(app): App,
    Body(body): Body<SendMessage>,
) -> Result<Json<SentJson>> {
    let sender = user_id("sender", &body.sender)?;
    let conversation = body.conversation(&sender)?;
    let kind = match conversation {
        ConversationId::Private(..) => Kind::User,
        _ => Kind::Group,
    };
    let (content_type, body_bytes) = body.content.0.read()?;
    let options = SendOptions {
        transient: body.transient,
        uncounted: body.uncounted,
        targets: users("targets", &body.targets, 0..=TARGETS_MAX)?,
        receipt_wanted: body.receipt_wanted,
        burn_after_seconds: body.burn_after_seconds,
        mention: body.mention.map(MentionJson::read).transpose()?.flatten(),
        by_server: false,
    };
    let message = Send {
        app,
        sender,
        conversation,
        client_message_id: client_message_id(&api, body.client_message_id),
        content_type,
        body: body_bytes,
        first_try: Timestamp(0),
        read_up_to: 0,
        session: None,
        options,
    };
    send(&api, kind, message).await
}

/// The key by which a retry is known; without one, the message gets one of its own.
pub(super) fn client_message_id(api: &Api, given: Option<String>) -> Box<str> {
    let made = || format!("{:032x}", u128::from_le_bytes(api.env.random()));
    given.unwrap_or_else(made).into()
}

/// Sends on the account of the app, and answers when the message is on disk.
pub(super) async fn send(api: &Api, kind: Kind, message: Send) -> Result<Json<SentJson>> {
    let own = api.engine.app_settings(message.app);
    api.quota.take(message.app, &own, kind, api.env.now())?;
    let (reply, answer) = oneshot::channel();
    api.engine.send(message, Reply::Call(reply));
    // The engine answers every send; without an answer, nobody knows what became of it.
    let sent = answer.await.map_err(|_| Reject::from(Code::Timeout))??;
    Ok(Json(sent.into()))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct ConversationPath {
    /// `p/<user>/<user>` (ids in byte order), `g/<group>`, `c/<id>`, `t/<id>` or `s/<id>`, percent-encoded as one segment.
    #[param(
        min_length = 3,
        max_length = 387,
        pattern = "^(p/[^/]+/[^/]+|[gcts]/[^/]+)$",
        example = "p/alice/bob"
    )]
    pub(super) conversation: String,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryQuery {
    /// Messages after this sequence, upwards; from 0 on for the first ones.
    #[param(minimum = 0, maximum = 9_007_199_254_740_991_u64, value_type = u64, required = false)]
    after: Option<u64>,
    /// Messages before this sequence, downwards.
    #[param(minimum = 1, maximum = 9_007_199_254_740_991_u64, value_type = u64, required = false)]
    before: Option<u64>,
    /// Items of the page.
    #[param(minimum = 1, maximum = 100, default = 50, value_type = u64, required = false)]
    limit: Option<u64>,
}

impl HistoryQuery {
    fn page(&self) -> Result<PageRequest> {
        let (from_seq, descending) = match (self.after, self.before) {
            (Some(_), Some(_)) => {
                return Err(Failure::invalid("after and before exclude one another"));
            }
            (Some(after), None) => (json_integer("after", after)?, false),
            (None, Some(0)) => return Err(Failure::invalid("before is not above 0")),
            (None, Some(before)) => (json_integer("before", before)?, true),
            (None, None) => (0, true),
        };
        Ok(PageRequest {
            from_seq,
            descending,
            limit: page_limit(self.limit, PAGE_ITEMS_MAX)?,
        })
    }
}

/// Read the messages of a conversation.
///
/// With `after` upwards from there, with `before` downwards; with neither, downwards from the
/// newest. The server API sees everything that is kept.
#[utoipa::path(
    get, path = "/v1/conversations/{conversation}/messages", tag = "messages",
    params(ConversationPath, HistoryQuery),
    responses(
        (status = 200, description = "A page.", body = MessagePageJson),
        (status = 404, description = "There is no such conversation.", body = ErrorBody),
        (status = 410, description = "The group was dismissed.", body = ErrorBody),
        Common,
    ),
    security(("app" = []), ("admin" = []))
)]
pub(super) async fn list_messages(
    State(api): State<Api>,
    App(app): App,
    Path(path): Path<ConversationPath>,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<MessagePageJson>> {
    let conversation = conversation_id(&path.conversation)?;
    let page = query.page()?;
    let page = api.engine.pull(app, None, &conversation, page).await?;
    Ok(Json(page.into()))
}
