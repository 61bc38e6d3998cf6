//! What a search finds: the same words as on the server.

pub use anser_domain::words::{QUERY_CHARS_MAX, TOKENS_MAX, Words, tokens};
