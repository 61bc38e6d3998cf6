//! What a file is called on disk.

use std::fmt;

/// The folder of all files.
pub(crate) const FOLDER: &str = "files";

/// The name of a file: the number of its app, and its random id of 32 hexadecimal digits. Nothing
/// that a client chooses can be in it.
#[derive(Clone, Eq, PartialEq, Ord, PartialOrd, Debug)]
pub struct Key {
    app: u32,
    id: String,
}

impl Key {
    /// The file of this app with this id. `None`: it is no id.
    #[must_use]
    pub fn new(app: u32, id: &str) -> Option<Self> {
        let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        (id.len() == 32 && id.bytes().all(digit)).then(|| Self {
            app,
            id: id.to_owned(),
        })
    }

    /// The number of its app.
    #[must_use]
    pub fn app(&self) -> u32 {
        self.app
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The other way round.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (app, id) = text.split_once('-')?;
        let key = Self::new(app.parse().ok()?, id)?;
        (key.to_string() == text).then_some(key)
    }

    /// Folders of a size that every file system and every tool can stand.
    pub(crate) fn folder(&self) -> String {
        format!("{FOLDER}/{}/{}/{}", self.app, &self.id[..2], self.id)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.app, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_an_id_is_a_key() {
        let id = "0123456789abcdef0123456789abcdef";
        let key = Key::new(7, id).unwrap();
        assert_eq!(Key::parse(&key.to_string()), Some(key));
        for bad in [
            "",
            "..",
            "../../../../../../../../etc/passwd",
            &id.to_uppercase(),
            "é123456789abcdef0123456789abcdef",
        ] {
            assert_eq!(Key::new(7, bad), None, "{bad}");
        }
        assert_eq!(Key::parse(&format!("07-{id}")), None);
        assert_eq!(Key::parse(&format!("7-{id}.part")), None);
    }
}
