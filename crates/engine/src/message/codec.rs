//! Parts of a message in the formats of the store and of the bus.
//!
//! Both formats have these parts by the same names, so one text serves for both; they can still go
//! different ways, since the types are not the same.

macro_rules! codec {
    ($name:ident, $pb:path) => {
        pub(crate) mod $name {
            use anser_domain::change::{Edit, Expansion, MessageState, Reaction, Recall};
            use anser_domain::message::Mention;
            use anser_domain::{Timestamp, UserId};
            use $pb as pb;

            pub(crate) fn users(users: &[UserId]) -> Vec<String> {
                users.iter().map(|user| user.as_str().to_owned()).collect()
            }

            pub(crate) fn users_from(users: Vec<String>) -> Option<Vec<UserId>> {
                users.iter().map(|user| UserId::new(user).ok()).collect()
            }

            pub(crate) fn mention(it: &Mention) -> pb::Mention {
                pb::Mention {
                    all: it.all,
                    users: users(&it.users),
                    overrides_mute: it.overrides_mute,
                }
            }

            pub(crate) fn mention_from(it: pb::Mention) -> Option<Mention> {
                Some(Mention {
                    all: it.all,
                    users: users_from(it.users)?,
                    overrides_mute: it.overrides_mute,
                })
            }

            pub(crate) fn state(it: &MessageState) -> pb::MessageState {
                pb::MessageState {
                    rev: it.rev,
                    time: it.time.0,
                    recall: it.recall.as_ref().map(|it| pb::Recall {
                        operator: it.operator.clone(),
                        time: it.time.0,
                        burned: it.burned,
                    }),
                    edit: it.edit.as_ref().map(|it| pb::Edit {
                        operator: it.operator.clone(),
                        time: it.time.0,
                        count: it.count,
                    }),
                    expansion: it
                        .expansion
                        .iter()
                        .map(|(key, it)| pb::Expansion {
                            key: key.clone(),
                            value: it.value.clone(),
                            user: it.user.clone(),
                        })
                        .collect(),
                    reactions: it
                        .reactions
                        .iter()
                        .map(|it| pb::Reaction {
                            reaction: it.reaction.clone(),
                            users: it.users.clone(),
                        })
                        .collect(),
                }
            }

            pub(crate) fn state_from(it: pb::MessageState) -> MessageState {
                MessageState {
                    rev: it.rev,
                    time: Timestamp(it.time),
                    recall: it.recall.map(|it| Recall {
                        operator: it.operator,
                        time: Timestamp(it.time),
                        burned: it.burned,
                    }),
                    edit: it.edit.map(|it| Edit {
                        operator: it.operator,
                        time: Timestamp(it.time),
                        count: it.count,
                    }),
                    expansion: it
                        .expansion
                        .into_iter()
                        .map(|it| {
                            let value = Expansion {
                                value: it.value,
                                user: it.user,
                            };
                            (it.key, value)
                        })
                        .collect(),
                    reactions: it
                        .reactions
                        .into_iter()
                        .map(|it| Reaction {
                            reaction: it.reaction,
                            users: it.users,
                        })
                        .collect(),
                }
            }
        }
    };
}

codec!(stored, anser_proto::stored);
codec!(cluster, anser_proto::cluster);
