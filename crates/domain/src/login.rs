//! Several devices of one user, and which of them must go when another signs in.

/// What kind of device a session runs on.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub enum Platform {
    /// iPhone, iPad.
    Ios,
    /// Android and its relatives.
    Android,
    /// A browser tab.
    Web,
    /// Windows, macOS, Linux.
    Desktop,
    /// A mini program inside another app.
    MiniProgram,
    /// A program of the customer.
    Server,
}

impl Platform {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Ios,
        Self::Android,
        Self::Web,
        Self::Desktop,
        Self::MiniProgram,
        Self::Server,
    ];

    /// The name in configuration, REST and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ios => "ios",
            Self::Android => "android",
            Self::Web => "web",
            Self::Desktop => "desktop",
            Self::MiniProgram => "mini_program",
            Self::Server => "server",
        }
    }

    /// The platform of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|platform| platform.name() == name)
    }

    /// Platforms of which a user has one device at a time share a class. A browser has as many
    /// tabs as it likes, a program of the customer as many instances.
    const fn exclusive_class(self) -> Option<u8> {
        match self {
            Self::Ios | Self::Android => Some(0),
            Self::Desktop => Some(1),
            Self::MiniProgram => Some(2),
            Self::Web | Self::Server => None,
        }
    }
}

/// Which sessions of a user may live side by side.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub enum LoginPolicy {
    /// One phone, one desktop, one mini program, any number of tabs. A newer one replaces an
    /// older one of its class.
    #[default]
    OnePerPlatform,
    /// One session at all.
    One,
    /// Any number, up to [`SESSIONS_PER_USER_MAX`](crate::limits::SESSIONS_PER_USER_MAX).
    Many,
}

impl LoginPolicy {
    /// The name in configuration.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "one_per_platform" => Some(Self::OnePerPlatform),
            "one" => Some(Self::One),
            "many" => Some(Self::Many),
            _ => None,
        }
    }
}

/// What the rule has to know of a session.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct LoginFacts<'a> {
    /// The installation.
    pub device: &'a str,
    /// Its kind.
    pub platform: Platform,
    /// Grows with every connection of the installation; zero if it was not told.
    pub attempt: u64,
}

/// Is `one` a later connection of the same installation than `other`, whichever was heard of
/// first? Tabs of a browser share a device and are never told apart this way.
#[must_use]
pub fn supersedes(one: LoginFacts<'_>, other: LoginFacts<'_>) -> bool {
    one.device == other.device
        && one.platform == other.platform
        && one.platform != Platform::Web
        && other.attempt > 0
        && one.attempt > other.attempt
}

/// Does `new` replace `old`? The same device always replaces itself, since its old connection is
/// dead or about to be; only tabs of a browser share a device and live side by side.
#[must_use]
pub fn replaces(policy: LoginPolicy, new: LoginFacts<'_>, old: LoginFacts<'_>) -> bool {
    if new.device == old.device && new.platform == old.platform && new.platform != Platform::Web {
        return true;
    }
    match policy {
        LoginPolicy::One => true,
        LoginPolicy::Many => false,
        LoginPolicy::OnePerPlatform => match (
            new.platform.exclusive_class(),
            old.platform.exclusive_class(),
        ) {
            (Some(new), Some(old)) => new == old,
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(device: &str, platform: Platform) -> LoginFacts<'_> {
        LoginFacts {
            device,
            platform,
            attempt: 0,
        }
    }

    #[test]
    fn a_new_phone_replaces_the_old_one_but_not_the_desktop() {
        let policy = LoginPolicy::OnePerPlatform;
        let phone = facts("phone-2", Platform::Android);
        assert!(replaces(policy, phone, facts("phone-1", Platform::Ios)));
        assert!(!replaces(policy, phone, facts("desk", Platform::Desktop)));
        assert!(!replaces(policy, phone, facts("tab", Platform::Web)));
    }

    #[test]
    fn tabs_live_side_by_side_and_a_reconnecting_phone_replaces_itself() {
        for policy in [LoginPolicy::OnePerPlatform, LoginPolicy::Many] {
            assert!(!replaces(
                policy,
                facts("browser", Platform::Web),
                facts("browser", Platform::Web)
            ));
            assert!(replaces(
                policy,
                facts("phone", Platform::Ios),
                facts("phone", Platform::Ios)
            ));
        }
    }

    #[test]
    fn the_later_connection_of_a_phone_stays_whichever_is_heard_of_first() {
        let at = |attempt, platform| LoginFacts {
            attempt,
            ..facts("one", platform)
        };
        assert!(supersedes(at(2, Platform::Ios), at(1, Platform::Ios)));
        assert!(!supersedes(at(1, Platform::Ios), at(2, Platform::Ios)));
        assert!(!supersedes(at(2, Platform::Ios), at(0, Platform::Ios)));
        assert!(!supersedes(at(2, Platform::Web), at(1, Platform::Web)));
    }

    #[test]
    fn one_means_one() {
        assert!(replaces(
            LoginPolicy::One,
            facts("a", Platform::Web),
            facts("b", Platform::Server)
        ));
    }
}
