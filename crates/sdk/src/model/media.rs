//! Files that the server keeps.

use anser_domain::Timestamp;

/// A file that the server keeps, and that messages name by its id.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct MediaFile {
    /// Its id, 32 hexadecimal digits: what messages carry as `media`.
    pub media: String,
    /// What it is called.
    pub name: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// Found in its bytes; empty until it is ready.
    pub content_type: String,
    /// Of a picture: pixels across and down, as it is looked at.
    pub size: Option<(u32, u32)>,
    /// It can be downloaded.
    pub ready: bool,
    /// Where its bytes are: works without a token until `url_expires`.
    pub url: Option<String>,
    /// Of a picture: the same for a JPEG with no side above 320 pixels.
    pub thumbnail_url: Option<String>,
    /// Until when the addresses work; then ask again.
    pub url_expires: Timestamp,
}
