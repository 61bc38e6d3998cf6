//! In which manner messages are sent, beside where to and what they say.

use anser_sdk::model::Mention;

use super::Draft;

/// Who is named in a message.
#[derive(Clone, Eq, PartialEq, Default, Debug)]
pub struct Named {
    /// Everybody.
    pub all: bool,
    /// These.
    pub users: Vec<String>,
}

impl Named {
    /// As the SDK takes it.
    #[must_use]
    pub fn mention(&self) -> Mention {
        Mention {
            all: self.all,
            users: self.users.clone(),
            overrides_mute: false,
        }
    }
}

/// In which manner a message is sent.
#[derive(Clone, Eq, PartialEq, Default, Debug)]
pub struct Manner {
    /// Whom it mentions.
    pub mention: Option<Named>,
    /// Only these see it; empty: all.
    pub targets: Vec<String>,
    /// It is unread for nobody.
    pub uncounted: bool,
    /// It burns so long after it was read; 0: never.
    pub burn_seconds: u32,
    /// Its sender wants to know who took note of it.
    pub receipt_wanted: bool,
    /// It is for the application, not for its user.
    pub command: bool,
    /// It waits in the device's database, if there is one.
    pub queued: bool,
}

impl Draft<'_> {
    pub(super) fn mention(&mut self) -> Option<Named> {
        let all = self.random.chance(300);
        let named = |users| Named { all, users };
        self.random.chance(300).then(|| named(self.some_users()))
    }

    /// Half of all messages are plain.
    pub(super) fn manner(&mut self, conversation: &str) -> Manner {
        let mut manner = Manner {
            queued: self.random.chance(400),
            ..Manner::default()
        };
        if self.random.chance(500) {
            return manner;
        }
        manner.mention = self.mention();
        manner.uncounted = self.random.chance(150);
        manner.receipt_wanted = self.random.chance(300);
        manner.command = self.random.chance(80);
        if conversation.starts_with("g/") {
            if self.random.chance(250) {
                manner.targets = self.some_users();
            }
        } else if self.random.chance(200) {
            manner.burn_seconds = *self.random.pick(&[1, 2, 5]);
        }
        manner
    }
}
