//! What the chat says, in two languages.

/// A language of the chat.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// 中文.
    Chinese,
}

impl Language {
    /// The language of a locale as in the environment variable `LANG`, such as `zh_CN.UTF-8`.
    #[must_use]
    pub fn of_locale(locale: &str) -> Self {
        if locale.to_ascii_lowercase().starts_with("zh") {
            Self::Chinese
        } else {
            Self::English
        }
    }

    pub(super) fn words(self) -> &'static Words {
        match self {
            Self::English => &ENGLISH,
            Self::Chinese => &CHINESE,
        }
    }
}

pub(super) struct Words {
    pub(super) connecting: &'static str,
    pub(super) online: &'static str,
    pub(super) waiting: &'static str,
    pub(super) stopped: &'static str,
    pub(super) talking_to: &'static str,
    pub(super) nobody_chosen: &'static str,
    pub(super) unknown_command: &'static str,
    pub(super) no_conversations: &'static str,
    pub(super) no_older: &'static str,
    pub(super) unread: &'static str,
    pub(super) sent: &'static str,
    pub(super) not_sent: &'static str,
    pub(super) failed: &'static str,
    pub(super) lost: &'static str,
    pub(super) not_text: &'static str,
    pub(super) recalled: &'static str,
    pub(super) edited: &'static str,
    /// Others have read up to a message.
    pub(super) read: &'static str,
    /// By change: created, added, removed, quit, dismissed, other.
    pub(super) notices: [&'static str; 6],
    pub(super) left: &'static str,
    pub(super) help: &'static str,
}

const ENGLISH: Words = Words {
    connecting: "connecting …",
    online: "connected as",
    waiting: "not connected, trying again",
    stopped: "signed out",
    talking_to: "talking to",
    nobody_chosen: "to whom? /to <user> or /group <group>",
    unknown_command: "no such command; /help lists them",
    no_conversations: "no conversations yet",
    no_older: "nothing older",
    unread: "unread",
    sent: "sent",
    not_sent: "not sent",
    failed: "failed",
    lost: "no longer available",
    not_text: "not a text",
    recalled: "(taken back)",
    edited: "(edited)",
    read: "has read up to",
    notices: [
        "created the group",
        "added",
        "removed",
        "left",
        "ended the group",
        "changed the group",
    ],
    left: "you are no longer in",
    help: "\
/to <user>                   talk to somebody
/group <group>               talk in a group
/create <group> <user> …     create a group
/recall <n>                  take message #n back
/edit <n> <text>             give it another text
/react <n> <emoji>           react to it
/list                        your conversations
/history                     older messages
/quit                        leave
anything else is sent",
};

const CHINESE: Words = Words {
    connecting: "正在连接……",
    online: "已连接，用户",
    waiting: "未连接，正在重试",
    stopped: "已退出登录",
    talking_to: "正在聊天：",
    nobody_chosen: "发给谁？用 /to <用户> 或 /group <群>",
    unknown_command: "没有这个命令，/help 可查看",
    no_conversations: "还没有会话",
    no_older: "没有更早的消息",
    unread: "条未读",
    sent: "已发送",
    not_sent: "未发送",
    failed: "失败",
    lost: "已无法取得",
    not_text: "非文本消息",
    recalled: "（已撤回）",
    edited: "（已编辑）",
    read: "已读到",
    notices: [
        "创建了群",
        "邀请了",
        "移出了",
        "退出了群",
        "解散了群",
        "更改了群",
    ],
    left: "你已不在",
    help: "\
/to <用户>                   与某人聊天
/group <群>                  在群里聊天
/create <群> <用户> …        建群
/recall <n>                  撤回消息 #n
/edit <n> <文本>             编辑消息
/react <n> <表情>            回应消息
/list                        会话列表
/history                     更早的消息
/quit                        退出
其他内容直接发送",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_decides() {
        for locale in ["zh_CN.UTF-8", "zh", "ZH-TW"] {
            assert_eq!(Language::of_locale(locale), Language::Chinese);
        }
        for locale in ["en_GB.UTF-8", "C", ""] {
            assert_eq!(Language::of_locale(locale), Language::English);
        }
    }
}
