//! What a notice in a group tells: the one message by which everybody learns of a change.

/// What happened. Its number stands in stored notices and on the wire.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
#[repr(u32)]
pub enum NoticeKind {
    /// The group was made.
    Created = 1,
    /// Somebody added members.
    Added = 2,
    /// Somebody removed members.
    Removed = 3,
    /// A member left.
    Quit = 4,
    /// The group is no more.
    Dismissed = 5,
    /// Name, announcement, attributes or settings changed.
    Updated = 6,
    /// It has another owner.
    Transferred = 7,
    /// Members have another role.
    RoleSet = 8,
    /// A role of the group's own was defined or removed.
    RoleDefined = 9,
    /// A member's nickname or attributes changed.
    MemberUpdated = 10,
    /// Members or all were muted, or may write again.
    Muted = 11,
    /// Members are exempt from the mute of all, or no more.
    Exempted = 12,
    /// Users were banned, or may come back.
    Banned = 13,
    /// A user came in by themself.
    Joined = 14,
    /// Users were invited.
    Invited = 15,
    /// A user declined an invitation.
    Declined = 16,
}

impl NoticeKind {
    /// Its number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self as u32
    }
}
