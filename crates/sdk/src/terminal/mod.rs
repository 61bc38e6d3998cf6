//! A chat in a terminal, line by line.
//!
//! A line is sent to whom one talks to, or is a command if it starts with a slash (`/help`).
//! News of the present conversation are printed as they come, and marked read; of others, a
//! line says how much is unread. At the end of the input the chat waits until what was said is
//! sent, so that it also serves in a pipe.

mod language;
mod line;
mod screen;

use std::collections::BTreeSet;
use std::io;

use anser_domain::code::Code;
use anser_domain::{ConversationId, GroupId, Platform, UserId};
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncWrite, Lines};

pub use language::Language;

use crate::core::{ConnectionState, Event, Outgoing};
use crate::driver::{CertificateDer, Client, Events};
use crate::error::Error;
use crate::limits::OUTBOX_SENDS_MAX;
use crate::model::{Content, Message, Sent};
use line::Line;
use screen::Screen;

/// Messages of a page of history.
const HISTORY_PAGE: u32 = 20;
/// Rows of the conversation list.
const LIST_PAGE: u32 = 50;

/// Who talks to whom, and where.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The address of the server: `ws://`, `wss://`, `tcp://` or `tcps://`.
    pub url: String,
    /// The token; it says who the user is.
    pub token: String,
    /// The user to talk to from the start.
    pub to: Option<String>,
    /// Names this terminal; empty draws a name.
    pub device_id: String,
    /// What to speak.
    pub language: Language,
    /// Certificates to trust besides those of the system.
    pub root_certificates: Vec<CertificateDer<'static>>,
}

/// Runs until `/quit`, the end of the input, or the server signs the user out.
///
/// Fails when the options can't be right, when the server signs the user out, when something
/// that was said could not be sent (with the last such error), or when the terminal is gone.
pub async fn run<I, O>(options: Options, stdin: I, stdout: O) -> Result<(), Error>
where
    I: AsyncBufRead + Unpin,
    O: AsyncWrite + Unpin,
{
    let mut builder = Client::builder(options.url, options.token)
        .device_id(options.device_id)
        .platform(Platform::Desktop)
        .client_name("terminal");
    for certificate in options.root_certificates {
        builder = builder.root_certificate(certificate);
    }
    let (client, events) = builder.connect()?;
    let mut chat = Chat {
        client,
        screen: Screen::new(stdout, options.language.words()),
        to: None,
        oldest: 0,
        newest: 0,
        mine: BTreeSet::new(),
        sends: FuturesUnordered::new(),
        failed: None,
    };
    let gone = |why: io::Error| Error::new(Code::Internal, format!("the terminal is gone: {why}"));
    let ended = chat.run(events, stdin.lines(), options.to).await;
    ended.map_err(gone)?.map_or(Ok(()), Err)
}

/// What is done to a message that stands on the screen.
enum Change {
    Recall,
    Edit(String),
    React(String),
}

struct Chat<O> {
    client: Client,
    screen: Screen<O>,
    /// The conversation that is shown.
    to: Option<String>,
    /// The oldest sequence shown of it; 0: none.
    oldest: u64,
    /// The newest one.
    newest: u64,
    /// What was said here, by client message id: it stands on the screen already.
    mine: BTreeSet<String>,
    sends: FuturesUnordered<BoxFuture<'static, (String, Result<Sent, Error>)>>,
    failed: Option<Error>,
}

impl<O: AsyncWrite + Unpin> Chat<O> {
    async fn run<I: AsyncBufRead + Unpin>(
        &mut self,
        mut events: Events,
        mut lines: Lines<I>,
        to: Option<String>,
    ) -> io::Result<Option<Error>> {
        // Who the user is, and so what a conversation is called, the first connection tells.
        while self.screen.me.is_empty() {
            match events.next().await {
                Some(event) => {
                    if let Some(error) = self.event(event).await? {
                        return Ok(Some(error));
                    }
                }
                None => return Ok(None),
            }
        }
        if let Some(user) = to {
            self.talk_to_user(&user).await?;
        }
        let mut reading = true;
        while reading || !self.sends.is_empty() {
            let room = self.sends.len() < OUTBOX_SENDS_MAX;
            tokio::select! {
                biased;
                Some((id, result)) = self.sends.next() => self.sent(&id, result).await?,
                event = events.next() => match event {
                    Some(event) => {
                        if let Some(error) = self.event(event).await? {
                            return Ok(Some(error));
                        }
                    }
                    None => return Ok(None),
                },
                line = lines.next_line(), if reading && room => match line? {
                    Some(line) => reading = self.line(&line).await?,
                    None => reading = false,
                },
            }
        }
        Ok(self.failed.take())
    }

    /// Says whether to go on reading.
    async fn line(&mut self, line: &str) -> io::Result<bool> {
        match Line::parse(line) {
            Line::Nothing => {}
            Line::Say(text) => self.say(text).await?,
            Line::To(user) => self.talk_to_user(&user).await?,
            Line::Group(group) => self.talk_in_group(&group).await?,
            Line::Create { group, members } => self.create(group, members).await?,
            Line::Recall(seq) => self.change(Change::Recall, seq).await?,
            Line::Edit(seq, text) => self.change(Change::Edit(text), seq).await?,
            Line::React(seq, reaction) => self.change(Change::React(reaction), seq).await?,
            Line::List => self.list().await?,
            Line::History => self.history().await?,
            Line::Help => self.screen.line(self.screen.words.help).await?,
            Line::Quit => return Ok(false),
            Line::Unknown => {
                let words = self.screen.words;
                self.screen.remark(words.unknown_command, "").await?;
            }
        }
        Ok(true)
    }

    async fn say(&mut self, text: String) -> io::Result<()> {
        let Some(conversation) = self.to.clone() else {
            let words = self.screen.words;
            return self.screen.remark(words.nobody_chosen, "").await;
        };
        let id = Client::new_message_id();
        self.mine.insert(id.clone());
        let message = Outgoing {
            client_message_id: Some(id.clone()),
            ..Outgoing::new(conversation, Content::text(text))
        };
        let client = self.client.clone();
        let send = async move { (id, client.send(message).await) };
        self.sends.push(Box::pin(send));
        Ok(())
    }

    async fn sent(&mut self, id: &str, result: Result<Sent, Error>) -> io::Result<()> {
        let words = self.screen.words;
        match result {
            Ok(sent) => {
                let at = format!("#{}", sent.seq);
                self.screen.remark(words.sent, &at).await
            }
            Err(error) => {
                self.mine.remove(id);
                self.screen.failure(words.not_sent, &error).await?;
                self.failed = Some(error);
                Ok(())
            }
        }
    }

    async fn talk_to_user(&mut self, user: &str) -> io::Result<()> {
        match (UserId::new(&self.screen.me), UserId::new(user)) {
            (Ok(me), Ok(user)) => self.show(&ConversationId::private(&me, &user)).await,
            (Err(why), _) | (_, Err(why)) => self.screen.remark(user, &why.to_string()).await,
        }
    }

    async fn talk_in_group(&mut self, group: &str) -> io::Result<()> {
        match GroupId::new(group) {
            Ok(group) => self.show(&ConversationId::Group(group)).await,
            Err(why) => self.screen.remark(group, &why.to_string()).await,
        }
    }

    async fn show(&mut self, conversation: &ConversationId) -> io::Result<()> {
        if let Some(before) = self.to.take() {
            self.client.close_conversation(before).await;
        }
        let conversation = conversation.to_string();
        let name = self.screen.name(&conversation, "");
        self.screen
            .remark(self.screen.words.talking_to, &name)
            .await?;
        self.client
            .open_conversation(conversation.clone(), None)
            .await;
        self.to = Some(conversation);
        self.oldest = 0;
        self.newest = 0;
        self.history().await
    }

    async fn history(&mut self) -> io::Result<()> {
        let words = self.screen.words;
        let Some(conversation) = self.to.clone() else {
            return self.screen.remark(words.nobody_chosen, "").await;
        };
        let first_page = self.oldest == 0;
        let page = self
            .client
            .history_before(conversation.as_str(), self.oldest, HISTORY_PAGE)
            .await;
        match page {
            Ok(page) => {
                if page.messages.is_empty() && !first_page {
                    self.screen.remark(words.no_older, "").await?;
                }
                for message in page.messages.iter().rev() {
                    self.screen.message(message).await?;
                }
                if let Some(oldest) = page.messages.last() {
                    self.oldest = oldest.seq;
                }
                if let Some(newest) = page.messages.first().filter(|_| first_page) {
                    self.newest = newest.seq;
                    self.read(&conversation, newest.seq).await?;
                }
                Ok(())
            }
            Err(error) => self.screen.failure(words.failed, &error).await,
        }
    }

    async fn read(&mut self, conversation: &str, seq: u64) -> io::Result<()> {
        match self.client.mark_read(conversation, seq).await {
            Ok(_) => Ok(()),
            Err(error) => {
                let words = self.screen.words;
                self.screen.failure(words.failed, &error).await
            }
        }
    }

    async fn create(&mut self, group: String, members: Vec<String>) -> io::Result<()> {
        match self.client.create_group(group.clone(), "", members).await {
            Ok(group) => self.talk_in_group(&group.group_id).await,
            Err(error) => {
                let words = self.screen.words;
                self.screen.failure(words.failed, &error).await
            }
        }
    }

    /// The change itself is printed when it comes.
    async fn change(&mut self, change: Change, seq: u64) -> io::Result<()> {
        let words = self.screen.words;
        let Some(conversation) = self.to.clone() else {
            return self.screen.remark(words.nobody_chosen, "").await;
        };
        let client = &self.client;
        let changed = match change {
            Change::Recall => client.recall(conversation, seq).await,
            Change::Edit(text) => {
                let content = Content::text(text);
                client.edit(conversation, seq, content, None).await
            }
            Change::React(reaction) => client.react(conversation, seq, reaction).await,
        };
        match changed {
            Ok(_) => Ok(()),
            Err(error) => self.screen.failure(words.failed, &error).await,
        }
    }

    async fn list(&mut self) -> io::Result<()> {
        let words = self.screen.words;
        match self.client.conversations("", LIST_PAGE).await {
            Ok(page) if page.conversations.is_empty() => {
                self.screen.remark(words.no_conversations, "").await
            }
            Ok(page) => {
                for row in &page.conversations {
                    self.screen.row(row).await?;
                }
                Ok(())
            }
            Err(error) => self.screen.failure(words.failed, &error).await,
        }
    }

    /// Shows what is new. Gives the error if it is over.
    async fn event(&mut self, event: Event) -> io::Result<Option<Error>> {
        let words = self.screen.words;
        match event {
            Event::State(state) => {
                self.screen.state(&state).await?;
                if let ConnectionState::Stopped(error) = state {
                    return Ok(Some(error));
                }
            }
            Event::Message(message) => self.message(message).await?,
            Event::Conversation { row, .. } => {
                if !row.member {
                    let name = self.screen.name(&row.id, &row.name);
                    self.screen.remark(words.left, &name).await?;
                } else if row.unread > 0 && self.to.as_ref() != Some(&row.id) {
                    self.screen.row(&row).await?;
                }
            }
            Event::Changed(message)
                if self.to.as_ref() == Some(&message.conversation)
                    // What lies above was not shown.
                    && self.oldest > 0
                    && message.seq >= self.oldest =>
            {
                self.screen.message(&message).await?;
            }
            Event::Receipts {
                conversation,
                receipts,
                ..
            } if self.to.as_ref() == Some(&conversation) => {
                let me = self.screen.me.clone();
                for receipt in receipts.iter().filter(|r| r.user != me && r.read_seq > 0) {
                    self.screen.read(&receipt.user, receipt.read_seq).await?;
                }
            }
            Event::Lost {
                conversation,
                from_seq,
                to_seq,
            } if self.to.as_ref() == Some(&conversation) => {
                let range = format!("#{from_seq}–#{to_seq}");
                self.screen.remark(words.lost, &range).await?;
            }
            _ => {}
        }
        Ok(None)
    }

    async fn message(&mut self, message: Message) -> io::Result<()> {
        let said_here = self.mine.remove(&message.client_message_id);
        let is_here = self.to.as_ref() == Some(&message.conversation);
        if is_here && message.seq <= self.newest {
            return Ok(()); // the first page of history had it
        }
        if is_here {
            self.newest = message.seq;
            if self.oldest == 0 {
                self.oldest = message.seq;
            }
        }
        if said_here {
            return Ok(());
        }
        if is_here {
            self.screen.message(&message).await?;
            return self.read(&message.conversation, message.seq).await;
        }
        if message.sender == self.screen.me {
            return Ok(());
        }
        let name = self.screen.name(&message.conversation, "");
        let text = message.content.as_text().unwrap_or("…");
        let line = format!("{name}: {text}");
        let words = self.screen.words;
        self.screen.remark(words.unread, &line).await
    }
}
