//! What an app sets up before its clients may come in by this door.
//!
//! Kept by the engine as one sealed text an app; fields are only ever added, each with a default
//! that is as strict as before it was there.

use anser_domain::{Code, Reject};
use serde::{Deserialize, Serialize};

/// Characters of an id, key or secret.
const KEY_MAX: usize = 128;

/// The door of one app.
#[derive(Clone, Eq, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "these are switches, as a customer knows them"
)]
pub struct Settings {
    /// May anybody come in?
    #[serde(default)]
    pub enabled: bool,
    /// LeanCloud's id of the application. One app of the installation has it.
    pub app_id: String,
    /// What clients show.
    pub app_key: String,
    /// What back ends show, and the key of signatures.
    pub master_key: String,
    /// A login needs a signature of the customer's.
    #[serde(default = "yes")]
    pub sign_login: bool,
    /// So do creating a conversation, and changing who is in it.
    #[serde(default)]
    pub sign_conversation: bool,
    /// So does reading the history by REST.
    #[serde(default)]
    pub sign_history: bool,
    /// So does blocking.
    #[serde(default)]
    pub sign_blacklist: bool,
    /// Clients may edit what they sent.
    #[serde(default = "yes")]
    pub edit_allowed: bool,
    /// Clients may take back what they sent.
    #[serde(default = "yes")]
    pub recall_allowed: bool,
    /// Owners and managers are more than members.
    #[serde(default = "yes")]
    pub roles: bool,
}

const fn yes() -> bool {
    true
}

impl Settings {
    /// Reads what [`Settings::to_json`] wrote, or what a customer sends.
    ///
    /// # Errors
    /// `INVALID_REQUEST` names the field.
    pub fn from_json(text: &str) -> Result<Self, Reject> {
        let invalid = |why: String| Reject::new(Code::InvalidRequest, why);
        let settings: Self =
            serde_json::from_str(text).map_err(|why| invalid(format!("the settings: {why}")))?;
        settings.check()?;
        Ok(settings)
    }

    /// As it is kept.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts and switches are JSON")
    }

    fn check(&self) -> Result<(), Reject> {
        let keys = [
            ("app_id", &self.app_id),
            ("app_key", &self.app_key),
            ("master_key", &self.master_key),
        ];
        for (name, value) in keys {
            let fits = (1..=KEY_MAX).contains(&value.len());
            if !fits || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
                let why = format!("{name} has 1 to {KEY_MAX} letters, digits and signs");
                return Err(Reject::new(Code::InvalidRequest, why));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = r#"{"app_id":"a","app_key":"k","master_key":"m"}"#;

    #[test]
    fn the_door_is_shut_and_asks_for_signed_logins_unless_it_is_said_otherwise() {
        let settings = Settings::from_json(LEAST).unwrap();
        assert!(!settings.enabled && settings.sign_login);
        assert!(!settings.sign_conversation);
        assert_eq!(Settings::from_json(&settings.to_json()), Ok(settings));
    }

    #[test]
    fn a_typing_error_is_not_taken_for_a_switch() {
        let wrong = LEAST.replace("\"a\"", "\"a\",\"sign_logins\":false");
        let refused = Settings::from_json(&wrong).unwrap_err();
        assert!(refused.message.contains("sign_logins"), "{refused:?}");
        for wrong in [
            r#"{"app_id":"","app_key":"k","master_key":"m"}"#,
            r#"{"app_id":"a","app_key":"k k","master_key":"m"}"#,
        ] {
            assert!(Settings::from_json(wrong).is_err(), "{wrong}");
        }
    }
}
