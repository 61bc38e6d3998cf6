//! Requests about conversations that users create.

use anser_proto::client as wire;
use wire::change_conversation::Change;
use wire::request::Command;
use wire::response::Result as Answer;

use super::api::Reply;
use super::commands::unexpected;
use crate::error::Error;
use crate::model::{ConversationQuery, CreatedUpdate, GroupRole, NewConversation};

/// What an application asks of conversations that users create.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum CreatedRequest {
    /// Creates one.
    Create(NewConversation),
    /// Changes one.
    Change {
        /// Which.
        conversation: String,
        /// How.
        change: CreatedChange,
    },
    /// Reads what it is.
    Get {
        /// Which.
        conversation: String,
    },
    /// Reads who is in it.
    ListMembers {
        /// In which.
        conversation: String,
        /// Only those who are muted; a page may then be empty and yet not be the last.
        muted: bool,
        /// Continues a page; empty starts.
        cursor: String,
        /// 1–500; 0 takes 100.
        limit: u32,
    },
    /// Reads who is kept out.
    ListBlocks {
        /// Of which.
        conversation: String,
        /// Continues a page; empty starts.
        cursor: String,
        /// 1–500; 0 takes 100.
        limit: u32,
    },
    /// Finds those that the user is in.
    Query(ConversationQuery),
}

/// A change of a conversation that a user created.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum CreatedChange {
    /// Adds those who are not in it.
    Invite(Vec<String>),
    /// Removes members.
    Remove(Vec<String>),
    /// The user leaves.
    Leave,
    /// The user joins one that is public.
    Join,
    /// Changes what is told of it, and its settings.
    Update(CreatedUpdate),
    /// Gives members a role.
    SetRole {
        /// At most 100.
        users: Vec<String>,
        /// Member, or admin: a manager.
        role: GroupRole,
    },
    /// Mutes members, or lifts it.
    Mute {
        /// At most 100.
        users: Vec<String>,
        /// At most ten years; 0 lifts it.
        seconds: u64,
    },
    /// Removes users and keeps them out, or lets them in again.
    Block {
        /// At most 100.
        users: Vec<String>,
        /// At most ten years; 0 lifts it.
        seconds: u64,
    },
    /// This member owns it from now on.
    Transfer(String),
    /// Ends it.
    Dismiss,
}

impl CreatedRequest {
    pub(super) fn conversation(&self) -> Option<&str> {
        match self {
            Self::Change { conversation, .. }
            | Self::Get { conversation }
            | Self::ListMembers { conversation, .. }
            | Self::ListBlocks { conversation, .. } => Some(conversation),
            Self::Create(_) | Self::Query(_) => None,
        }
    }

    /// Does repeating it change nothing?
    pub(super) fn repeatable(&self) -> bool {
        match self {
            Self::Create(new) => new.unique,
            Self::Change { change, .. } => matches!(
                change,
                CreatedChange::Update(_)
                    | CreatedChange::SetRole { .. }
                    | CreatedChange::Mute { .. }
                    | CreatedChange::Block { .. }
            ),
            _ => true,
        }
    }

    /// Refuses a role that nobody can be given.
    pub(super) fn check(&self) -> Result<(), Error> {
        match self {
            Self::Change {
                change: CreatedChange::SetRole { role, .. },
                ..
            } => super::groups::check_role(*role),
            _ => Ok(()),
        }
    }

    /// The request on the wire.
    pub(super) fn encode(self) -> Command {
        match self {
            Self::Create(new) => Command::CreateConversation(new.into()),
            Self::Change {
                conversation,
                change,
            } => Command::ChangeConversation(wire::ChangeConversation {
                conversation,
                change: Some(encode_change(change)),
            }),
            Self::Get { conversation } => {
                Command::GetCreatedConversation(wire::GetCreatedConversation { conversation })
            }
            Self::ListMembers {
                conversation,
                muted,
                cursor,
                limit,
            } => Command::ListConversationMembers(wire::ListConversationMembers {
                conversation,
                cursor,
                limit,
                muted,
            }),
            Self::ListBlocks {
                conversation,
                cursor,
                limit,
            } => Command::ListConversationBlocks(wire::ListConversationBlocks {
                conversation,
                cursor,
                limit,
            }),
            Self::Query(query) => Command::QueryConversations(query.into()),
        }
    }

    /// The answer for the application.
    pub(super) fn decode(&self, answer: Answer) -> Result<Reply, Error> {
        match (self, answer) {
            (
                Self::Change {
                    change: CreatedChange::Leave | CreatedChange::Dismiss,
                    ..
                },
                Answer::Done(_),
            ) => Ok(Reply::Done),
            (
                Self::Create(_) | Self::Change { .. } | Self::Get { .. },
                Answer::CreatedConversation(created),
            ) => Ok(Reply::Created((*created).into())),
            (Self::ListMembers { .. }, Answer::GroupMembers(page)) => {
                Ok(Reply::GroupMembers(page.into()))
            }
            (Self::ListBlocks { .. }, Answer::GroupUsers(page)) => {
                Ok(Reply::GroupUsers(page.into()))
            }
            (Self::Query(_), Answer::ConversationsFound(found)) => {
                Ok(Reply::CreatedFound(found.into()))
            }
            _ => Err(unexpected()),
        }
    }
}

fn encode_change(change: CreatedChange) -> Change {
    let users = |users| wire::ConversationUsers { users };
    let users_for = |users, seconds| wire::ConversationUsersFor { users, seconds };
    match change {
        CreatedChange::Invite(who) => Change::Invite(users(who)),
        CreatedChange::Remove(who) => Change::Remove(users(who)),
        CreatedChange::Leave => Change::Leave(wire::ConversationLeave {}),
        CreatedChange::Join => Change::Join(wire::ConversationJoin {}),
        CreatedChange::Update(update) => Change::Update(update.into()),
        CreatedChange::SetRole { users, role } => Change::SetRole(wire::SetConversationRole {
            users,
            role: wire::GroupRole::from(role).into(),
        }),
        CreatedChange::Mute { users, seconds } => Change::Mute(users_for(users, seconds)),
        CreatedChange::Block { users, seconds } => Change::Block(users_for(users, seconds)),
        CreatedChange::Transfer(owner) => Change::Transfer(owner),
        CreatedChange::Dismiss => Change::Dismiss(wire::ConversationDismissal {}),
    }
}
