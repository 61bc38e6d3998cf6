//! The engine's handle, for created conversations.

use std::collections::BTreeSet;

use anser_domain::attributes;
use anser_domain::group::{GroupState, Kind, Settings, membership};
use anser_domain::limits::{
    CONVERSATIONS_PAGE_DEFAULT, MEMBERS_PAGE_DEFAULT, MEMBERS_PAGE_MAX, PAGE_ITEMS_MAX,
};
use anser_domain::{AppId, Code, ConversationId, GroupId, Reject, UserId, temporary};

use super::{Created, Found, NewConversation, Query, Visit, query, unique};
use crate::engine::{Engine, page_limit};
use crate::group::{
    By, Creation, Group, GroupChange, GroupMemberPage, GroupUserPage, Members, Outside, read,
};

/// How often a conversation is looked for that somebody else is just creating.
const CREATE_TRIES_MAX: u32 = 100;
/// Conversations that are shown by name at once.
const VISITED_MAX: usize = 1_000;
/// Milliseconds between two of these looks.
const CREATE_WAIT_MS: u64 = 20;

/// Refuses what is not a created conversation.
fn check_kind(id: &ConversationId) -> Result<(), Reject> {
    match id.members_of() {
        Some((kind, _)) if kind != Kind::Group => Ok(()),
        _ => Err(Reject::new(
            Code::InvalidRequest,
            "this is for created conversations, named c/<id> or t/<id>",
        )),
    }
}

/// What is wrong with it by itself is said before anything is reserved.
fn check_new(new: &NewConversation) -> Result<(), Reject> {
    attributes::check(&new.attributes)?;
    if let Some(seconds) = new.temporary_seconds {
        temporary::check_seconds(seconds)?;
        if new.id.is_some() {
            let why = "the id of a temporary conversation tells its end, and is made by the server";
            return Err(Reject::new(Code::InvalidRequest, why));
        }
    }
    let nothing = GroupState {
        settings: Settings {
            kind: match new.temporary_seconds {
                None => Kind::Created,
                Some(_) => Kind::Temporary,
            },
            ..Settings::default()
        },
        ..GroupState::default()
    };
    membership::create(nothing, &new.name, &new.owner, &new.members).map(drop)
}

impl Engine {
    /// Creates a conversation under an id made up, or finds the one of exactly these members.
    pub async fn create_conversation(
        &self,
        app: AppId,
        by: By,
        new: NewConversation,
    ) -> Result<Created, Reject> {
        self.check_running()?;
        check_new(&new)?;
        if new.unique {
            return unique::create(self, app, by, new).await;
        }
        let (id, chosen) = (self.id_for(&new), new.id.is_some());
        let (conversation, reused) = self.create_as(app, by, &id, new).await?;
        if chosen && reused {
            return Err(Code::AlreadyExists.into());
        }
        Ok(Created {
            conversation,
            reused: false,
        })
    }

    /// The id that a new conversation gets.
    pub(super) fn id_for(&self, new: &NewConversation) -> ConversationId {
        match (new.temporary_seconds, &new.id) {
            (Some(seconds), _) => self.new_temporary_id(seconds),
            (None, Some(id)) => ConversationId::Created(id.clone()),
            (None, None) => self.new_conversation_id(),
        }
    }

    fn new_conversation_id(&self) -> ConversationId {
        let env = &self.core.tools.env;
        let id = GroupId::new(&env.message_id(env.now()).to_string())
            .expect("26 letters and digits are an id");
        ConversationId::Created(id)
    }

    fn new_temporary_id(&self, seconds: u32) -> ConversationId {
        let env = &self.core.tools.env;
        ConversationId::Temporary(temporary::id(env.message_id(env.now()), seconds))
    }

    /// Creates it under this id, which nobody takes for anything else. The flag says whether it
    /// was there already.
    pub(super) async fn create_as(
        &self,
        app: AppId,
        by: By,
        id: &ConversationId,
        new: NewConversation,
    ) -> Result<(Group, bool), Reject> {
        let change = GroupChange::Create {
            name: new.name,
            owner: new.owner,
            members: new.members,
            creation: Box::new(Creation {
                attributes: new.attributes,
                public: new.public,
                unique: new.unique,
                history_visible: new.history_visible,
            }),
        };
        for _ in 0..CREATE_TRIES_MAX {
            let made = self.change_members(app, by.clone(), id, change.clone());
            match made.await {
                // By an earlier try whose outcome was not known, or by who reserved the same id.
                Err(reject) if matches!(reject.code, Code::AlreadyExists | Code::Timeout) => {
                    match read::get(&self.core.tools, app, &By::Server, id).await {
                        // On its way to the disk: there in a moment, or it fails and is made here.
                        Err(reject) if reject.code == Code::NotFound => {
                            self.core.tools.env.sleep(CREATE_WAIT_MS).await;
                        }
                        found => return Ok((found?, true)),
                    }
                }
                made => return Ok((made?, false)),
            }
        }
        Err(Code::Unavailable.into())
    }

    /// Finds created conversations. `limit` 0 takes the default.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for more than 100 at once.
    pub async fn query_conversations(&self, app: AppId, query: Query) -> Result<Found, Reject> {
        let limit = page_limit(query.limit, CONVERSATIONS_PAGE_DEFAULT, PAGE_ITEMS_MAX)?;
        query::run(&self.core.tools, app, &Query { limit, ..query }).await
    }

    /// Shows created conversations to `visit`: those of a user, or all of the app as far as the
    /// budget of a query goes, each with those of the `named` users who are in it. For filters that
    /// [`Query`] has no words for. Whether these were all.
    pub async fn visit_conversations(
        &self,
        app: AppId,
        of: Option<&UserId>,
        named: &BTreeSet<UserId>,
        visit: &mut Visit<'_>,
    ) -> Result<bool, Reject> {
        query::visit(&self.core.tools, app, of, named, visit).await
    }

    /// Shows those of these created conversations that are there, in the same way.
    ///
    /// # Errors
    /// `INVALID_REQUEST` for more than 1,000 of them, or any of another kind.
    pub async fn visit_these_conversations(
        &self,
        app: AppId,
        ids: &[ConversationId],
        named: &BTreeSet<UserId>,
        visit: &mut Visit<'_>,
    ) -> Result<(), Reject> {
        if ids.len() > VISITED_MAX {
            let message = format!("at most {VISITED_MAX} conversations at once");
            return Err(Reject::new(Code::InvalidRequest, message));
        }
        ids.iter().try_for_each(check_kind)?;
        query::visit_these(&self.core.tools, app, ids, named, visit).await
    }

    /// Changes a created conversation; answers it as it then is. What may be changed, and by whom,
    /// is in [`anser_domain::group`].
    pub async fn change_created(
        &self,
        app: AppId,
        by: By,
        id: &ConversationId,
        change: GroupChange,
    ) -> Result<Group, Reject> {
        check_kind(id)?;
        self.change_members(app, by, id, change).await
    }

    /// A created conversation. A user must be in it.
    pub async fn created(&self, app: AppId, by: By, id: &ConversationId) -> Result<Group, Reject> {
        check_kind(id)?;
        read::get(&self.core.tools, app, &by, id).await
    }

    /// A page of its members, by user id. A user must be in it. `limit` 0 takes the default.
    pub async fn created_members(
        &self,
        app: AppId,
        by: By,
        id: &ConversationId,
        which: Members,
        cursor: &str,
        limit: usize,
    ) -> Result<GroupMemberPage, Reject> {
        check_kind(id)?;
        let limit = page_limit(limit, MEMBERS_PAGE_DEFAULT, MEMBERS_PAGE_MAX)?;
        read::members(&self.core.tools, app, &by, id, which, (cursor, limit)).await
    }

    /// A page of the users it blocks, by user id. A user must be its owner or a manager. `limit` 0
    /// takes the default.
    pub async fn created_blocks(
        &self,
        app: AppId,
        by: By,
        id: &ConversationId,
        cursor: &str,
        limit: usize,
    ) -> Result<GroupUserPage, Reject> {
        check_kind(id)?;
        let limit = page_limit(limit, MEMBERS_PAGE_DEFAULT, MEMBERS_PAGE_MAX)?;
        let list = Outside::Banned;
        read::outside(&self.core.tools, app, &by, id, list, (cursor, limit)).await
    }
}
