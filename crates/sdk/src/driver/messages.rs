//! What happens to messages after they were sent, receipts, and one's own view of conversations.

use std::collections::BTreeMap;

use super::client::{Client, unexpected};
use crate::core::{Outgoing, Reply, Request};
use crate::error::Error;
use crate::model::{
    Content, Conversation, ConversationSettings, FoundPage, Mention, Message, MessageSearch,
    MessageState, ReaderPage, ReceiptPage,
};

impl Client {
    /// Takes a message back for everybody: its sender may for a while, owners and admins of a
    /// group at any time. [`Event::Changed`](crate::core::Event::Changed) brings it to everybody
    /// who had it, this client included.
    pub async fn recall(
        &self,
        conversation: impl Into<String>,
        seq: u64,
    ) -> Result<MessageState, Error> {
        let conversation = conversation.into();
        self.change(Request::Recall { conversation, seq }).await
    }

    /// Gives one's own message another content of the same type; the mention is replaced.
    pub async fn edit(
        &self,
        conversation: impl Into<String>,
        seq: u64,
        content: Content,
        mention: Option<Mention>,
    ) -> Result<MessageState, Error> {
        self.change(Request::Edit {
            conversation: conversation.into(),
            seq,
            content,
            mention,
        })
        .await
    }

    /// Sets and removes keys of a message's expansion; at most 20 at a time.
    pub async fn update_expansion(
        &self,
        conversation: impl Into<String>,
        seq: u64,
        put: BTreeMap<String, String>,
        remove: Vec<String>,
    ) -> Result<MessageState, Error> {
        self.change(Request::UpdateExpansion {
            conversation: conversation.into(),
            seq,
            put,
            remove,
        })
        .await
    }

    /// Adds the user's reaction to a message, an emoji or a name of 1–64 bytes.
    pub async fn react(
        &self,
        conversation: impl Into<String>,
        seq: u64,
        reaction: impl Into<String>,
    ) -> Result<MessageState, Error> {
        self.change(Request::React {
            conversation: conversation.into(),
            seq,
            reaction: reaction.into(),
            remove: false,
        })
        .await
    }

    /// Takes the user's reaction back.
    pub async fn unreact(
        &self,
        conversation: impl Into<String>,
        seq: u64,
        reaction: impl Into<String>,
    ) -> Result<MessageState, Error> {
        self.change(Request::React {
            conversation: conversation.into(),
            seq,
            reaction: reaction.into(),
            remove: true,
        })
        .await
    }

    async fn change(&self, request: Request) -> Result<MessageState, Error> {
        match self.ask(request).await? {
            Reply::Changed(state) => Ok(state),
            other => unexpected(&other),
        }
    }

    /// Reads messages by their sequence, at most 100; those that the user may not see are left
    /// out.
    pub async fn get_messages(
        &self,
        conversation: impl Into<String>,
        seqs: Vec<u64>,
    ) -> Result<Vec<Message>, Error> {
        let conversation = conversation.into();
        self.list(Request::GetMessages { conversation, seqs }).await
    }

    /// Reads the unread messages that mention the user, the oldest first, at most 100.
    pub async fn mentions(&self, conversation: impl Into<String>) -> Result<Vec<Message>, Error> {
        let conversation = conversation.into();
        self.list(Request::ListMentions { conversation }).await
    }

    async fn list(&self, request: Request) -> Result<Vec<Message>, Error> {
        match self.ask(request).await? {
            Reply::MessageList(messages) => Ok(messages),
            other => unexpected(&other),
        }
    }

    /// Deletes messages for this user only, on all devices; at most 100.
    /// [`Event::Deleted`](crate::core::Event::Deleted) brings it to all of them, this one
    /// included.
    pub async fn delete_messages(
        &self,
        conversation: impl Into<String>,
        seqs: Vec<u64>,
    ) -> Result<(), Error> {
        let conversation = conversation.into();
        self.ask(Request::DeleteMessages { conversation, seqs })
            .await
            .map(drop)
    }

    /// Deletes everything up to a sequence for this user only; 0 deletes everything. Gives the
    /// conversation as it then is.
    pub async fn clear_history(
        &self,
        conversation: impl Into<String>,
        up_to_seq: u64,
    ) -> Result<Conversation, Error> {
        self.view(Request::ClearHistory {
            conversation: conversation.into(),
            up_to_seq,
        })
        .await
    }

    /// Changes the user's own settings of a conversation, on all devices. Gives the conversation
    /// as it then is.
    pub async fn update_conversation(
        &self,
        conversation: impl Into<String>,
        settings: ConversationSettings,
    ) -> Result<Conversation, Error> {
        self.view(Request::UpdateConversation {
            conversation: conversation.into(),
            settings,
        })
        .await
    }

    async fn view(&self, request: Request) -> Result<Conversation, Error> {
        match self.ask(request).await? {
            Reply::Conversation(row) => Ok(row),
            other => unexpected(&other),
        }
    }

    /// Takes a conversation out of the user's list, with its settings, until the next message.
    pub async fn delete_conversation(
        &self,
        conversation: impl Into<String>,
        with_history: bool,
    ) -> Result<(), Error> {
        self.ask(Request::DeleteConversation {
            conversation: conversation.into(),
            with_history,
        })
        .await
        .map(drop)
    }

    /// Says that everything up to `seq` arrived on this device. Reading implies it, and a client
    /// built with [`mark_delivered`](super::Builder::mark_delivered) says it by itself.
    pub async fn mark_delivered(
        &self,
        conversation: impl Into<String>,
        seq: u64,
    ) -> Result<(), Error> {
        let conversation = conversation.into();
        self.ask(Request::MarkDelivered { conversation, seq })
            .await
            .map(drop)
    }

    /// Tells the senders of these messages, if they asked for it, that they were taken note of;
    /// at most 100.
    pub async fn acknowledge(
        &self,
        conversation: impl Into<String>,
        seqs: Vec<u64>,
    ) -> Result<(), Error> {
        let conversation = conversation.into();
        self.ask(Request::Acknowledge { conversation, seqs })
            .await
            .map(drop)
    }

    /// Reads where the members stand, of those that moved since a version, which the page tells; 0
    /// starts. `limit` 1–500; 0 takes 100.
    pub async fn receipts(
        &self,
        conversation: impl Into<String>,
        from_version: u64,
        limit: u32,
    ) -> Result<ReceiptPage, Error> {
        let request = Request::GetReceipts {
            conversation: conversation.into(),
            from_version,
            limit,
        };
        match self.ask(request).await? {
            Reply::Receipts(page) => Ok(page),
            other => unexpected(&other),
        }
    }

    /// Reads who has read one's own message; or, with `acknowledged`, who acknowledged it. An
    /// empty cursor starts. `limit` 1–500; 0 takes 100.
    pub async fn readers(
        &self,
        conversation: impl Into<String>,
        seq: u64,
        acknowledged: bool,
        cursor: impl Into<String>,
        limit: u32,
    ) -> Result<ReaderPage, Error> {
        let request = Request::ListReaders {
            conversation: conversation.into(),
            seq,
            acknowledged,
            cursor: cursor.into(),
            limit,
        };
        match self.ask(request).await? {
            Reply::Readers(page) => Ok(page),
            other => unexpected(&other),
        }
    }

    /// Finds messages on the server, of all that the user may see. What this device has is
    /// searched without a connection by its
    /// [database](super::LocalDatabase::search).
    pub async fn search_messages(&self, search: MessageSearch) -> Result<FoundPage, Error> {
        match self.ask(Request::Search(search)).await? {
            Reply::Found(page) => Ok(page),
            other => unexpected(&other),
        }
    }

    /// Leaves a message that the server sends in the user's name when the connection is lost. It
    /// belongs to the present connection: the next one begins without.
    pub async fn set_will(&self, message: Outgoing) -> Result<(), Error> {
        self.ask(Request::SetWill(message)).await.map(drop)
    }

    /// Sends what is worth something only now, such as that somebody is typing: to those who are
    /// connected, once or never. It is not stored and never unread.
    pub async fn send_transient(
        &self,
        conversation: impl Into<String>,
        content: Content,
    ) -> Result<(), Error> {
        let message = Outgoing {
            transient: true,
            ..Outgoing::new(conversation, content)
        };
        self.send(message).await.map(drop)
    }
}
