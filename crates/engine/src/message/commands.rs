//! Messages, as far as the engine's handle goes beyond sending: changing them, and reading changes.

use anser_domain::{AppId, Code, ConversationId, Reject, UserId};
use anser_proto::cluster::{request::Request, response::Response};
use futures::channel::oneshot;

use super::changes;
use super::{Change, ChangeMessage, ChangePage, FormerContents, Message, MessageChanged};
use crate::cluster::wire;
use crate::conversation::Command;
use crate::engine::{Engine, page_limit};
use crate::group::By;
use crate::tables;

impl Engine {
    /// Changes a message, durably, and tells everybody who may see it. A change that is made
    /// already is not made again, so a retry is safe.
    ///
    /// # Errors
    /// `NOT_FOUND`: no such message, or none that this user may see. `NOT_ALLOWED`, `TOO_LATE`,
    /// `MESSAGE_RECALLED`; `INVALID_REQUEST` beyond a limit.
    pub async fn change_message(
        &self,
        app: AppId,
        by: By,
        conversation: &ConversationId,
        seq: u64,
        change: Change,
    ) -> Result<MessageChanged, Reject> {
        self.check_running()?;
        conversation.check_living(self.core.tools.env.now())?;
        change.check(self.core.tools.content_bytes_max(app))?;
        if let (true, Change::Edit { mention, .. }) = (conversation.is_system(), &change) {
            anser_domain::system::check_options(mention.as_ref(), false)?;
        }
        let wanted = ChangeMessage {
            app,
            by,
            seq,
            change,
        };
        let (cluster, name) = (&self.core.tools.cluster, conversation.to_string());
        let owner = cluster.view().owner(tables::conversation_shard(app, &name));
        if owner == cluster.node() {
            return self.change_here(conversation, wanted).await;
        }
        let request = Request::ChangeMessage(wire::change_message(&wanted, &name));
        match cluster.request(owner, request).await? {
            Response::MessageChanged(changed) => wire::message_changed_from(changed),
            _ => Err(wire::garbled()),
        }
    }

    /// Hands a change to the actor on this node.
    pub(crate) async fn change_here(
        &self,
        conversation: &ConversationId,
        wanted: ChangeMessage,
    ) -> Result<MessageChanged, Reject> {
        let (reply, result) = oneshot::channel();
        let name = conversation.to_string();
        let actor = self
            .core
            .conversations
            .actor(wanted.app, conversation, &name);
        actor.submit(Command::change(wanted, reply));
        result
            .await
            .unwrap_or_else(|_| Err(Code::ShuttingDown.into()))
    }

    /// Messages that changed after a `rev`. Without a `reader` it is the server API that asks, and
    /// sees all. `limit` 0 takes the default.
    pub async fn pull_changes(
        &self,
        app: AppId,
        reader: Option<&UserId>,
        conversation: &ConversationId,
        from_rev: u64,
        limit: usize,
    ) -> Result<ChangePage, Reject> {
        changes::pull(&self.core.tools, app, reader, conversation, from_rev, limit).await
    }

    /// Messages by their sequence, at most 100, without those that the reader may not see.
    pub async fn messages(
        &self,
        app: AppId,
        reader: Option<&UserId>,
        conversation: &ConversationId,
        seqs: &[u64],
    ) -> Result<Vec<Message>, Reject> {
        changes::get(&self.core.tools, app, reader, conversation, seqs).await
    }

    /// What a message said before its edits, after a `rev`, the oldest first. `limit` 0 takes the
    /// default.
    pub async fn former_contents(
        &self,
        app: AppId,
        conversation: &ConversationId,
        seq: u64,
        after_rev: u64,
        limit: usize,
    ) -> Result<FormerContents, Reject> {
        use anser_domain::limits::{MESSAGES_PAGE_DEFAULT, PAGE_ITEMS_MAX};
        let limit = page_limit(limit, MESSAGES_PAGE_DEFAULT, PAGE_ITEMS_MAX)?;
        changes::former_contents(&self.core.tools, app, conversation, seq, after_rev, limit).await
    }
}
