//! How things look in a terminal.

use std::io;

use anser_domain::{ConversationId, UserId};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::language::Words;
use crate::core::ConnectionState;
use crate::error::Error;
use crate::model::{Conversation, GroupChange, GroupNotice, Message};

/// Where lines go.
pub(super) struct Screen<W> {
    out: W,
    pub(super) words: &'static Words,
    /// The user; empty before the first connection.
    pub(super) me: String,
}

/// Text of somebody else, without what a terminal would take as an order.
fn printable(text: &str) -> String {
    let show = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(show).collect()
}

impl<W: AsyncWrite + Unpin> Screen<W> {
    pub(super) fn new(out: W, words: &'static Words) -> Self {
        Self {
            out,
            words,
            me: String::new(),
        }
    }

    pub(super) async fn line(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(format!("{text}\n").as_bytes()).await?;
        self.out.flush().await
    }

    /// A remark of the chat itself.
    pub(super) async fn remark(&mut self, what: &str, about: &str) -> io::Result<()> {
        let about = printable(about);
        let line = format!("· {what} {about}");
        self.line(line.trim_end()).await
    }

    pub(super) async fn failure(&mut self, what: &str, error: &Error) -> io::Result<()> {
        let error = printable(&error.to_string());
        self.line(&format!("! {what}: {error}")).await
    }

    pub(super) async fn message(&mut self, message: &Message) -> io::Result<()> {
        if let Some(notice) = message.content.as_group_notice() {
            return self.notice(message.seq, &notice).await;
        }
        let mut text = match message.content.as_text() {
            _ if message.is_recalled() => self.words.recalled.to_owned(),
            Some(text) => printable(text),
            None => format!("({}: {})", self.words.not_text, message.content.kind),
        };
        if let Some(state) = message.state.as_ref().filter(|_| !message.is_recalled()) {
            if state.edit.is_some() {
                text = format!("{text} {}", self.words.edited);
            }
            for reaction in &state.reactions {
                let (what, count) = (printable(&reaction.reaction), reaction.users.len());
                text = format!("{text}  {what} {count}");
            }
        }
        let sender = printable(&message.sender);
        self.line(&format!("#{} {sender}: {text}", message.seq))
            .await
    }

    /// Somebody has read up to here.
    pub(super) async fn read(&mut self, user: &str, seq: u64) -> io::Result<()> {
        let user = printable(user);
        self.line(&format!("✓✓ {user} {} #{seq}", self.words.read))
            .await
    }

    async fn notice(&mut self, seq: u64, notice: &GroupNotice) -> io::Result<()> {
        let [created, added, removed, quit, dismissed, other] = self.words.notices;
        let (what, users) = match &notice.change {
            GroupChange::Created => (created, &[][..]),
            GroupChange::Added => (added, &notice.users[..]),
            GroupChange::Removed => (removed, &notice.users[..]),
            GroupChange::Quit => (quit, &[][..]),
            GroupChange::Dismissed => (dismissed, &[][..]),
            _ => (other, &notice.users[..]),
        };
        let users = printable(&users.join(" "));
        let line = format!("#{seq} · {} {what} {users}", printable(&notice.operator));
        self.line(line.trim_end()).await
    }

    pub(super) async fn state(&mut self, state: &ConnectionState) -> io::Result<()> {
        match state {
            ConnectionState::Idle => Ok(()),
            ConnectionState::Connecting => self.remark(self.words.connecting, "").await,
            ConnectionState::Online { user_id, .. } => {
                self.me.clone_from(user_id);
                self.remark(self.words.online, user_id).await
            }
            ConnectionState::Waiting { error, .. } => match error {
                Some(error) => self.failure(self.words.waiting, error).await,
                None => self.remark(self.words.waiting, "").await,
            },
            ConnectionState::Stopped(error) => self.failure(self.words.stopped, error).await,
        }
    }

    /// A row of the conversation list.
    pub(super) async fn row(&mut self, row: &Conversation) -> io::Result<()> {
        let name = self.name(&row.id, &row.name);
        let unread = match row.unread {
            0 => String::new(),
            n => format!("  ({n} {})", self.words.unread),
        };
        let newest = row.newest.as_ref().map_or(String::new(), |newest| {
            let text = newest.content.as_text().unwrap_or("…");
            let text: String = text.chars().take(60).collect();
            format!("  {}: {}", printable(&newest.sender), printable(&text))
        });
        self.line(&format!("  {name}{unread}{newest}")).await
    }

    /// What a conversation is called: the other one, or the group.
    pub(super) fn name(&self, conversation: &str, given: &str) -> String {
        let me = UserId::new(&self.me).ok();
        let name = match (ConversationId::parse(conversation), me) {
            (Ok(ConversationId::Group(group)), _) if given.is_empty() => format!("#{group}"),
            (Ok(ConversationId::Group(group)), _) => format!("#{group} {given}"),
            (Ok(id), Some(me)) => match id.peer_of(&me) {
                Some(peer) => peer.to_string(),
                None => conversation.to_owned(),
            },
            _ => conversation.to_owned(),
        };
        printable(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::Language;

    #[test]
    fn conversations_are_called_by_who_is_in_them() {
        let mut screen = Screen::new(Vec::new(), Language::English.words());
        screen.me = "me".to_owned();
        assert_eq!(screen.name("p/bob/me", ""), "bob");
        assert_eq!(screen.name("g/team%2Fa", "Team"), "#team/a Team");
        assert_eq!(screen.name("x/new-kind", ""), "x/new-kind");
    }

    #[test]
    fn nobody_can_give_orders_to_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\rc"), "a [2Jb c");
    }
}
