//! Keys of users by their tags, and of the conversations that are for a tag.

use std::ops::Bound;

use anser_domain::{AppId, Tag, UserId};
use anser_store::{Key, Scan, Shard};
use bytes::{BufMut, Bytes, BytesMut};

use super::key::{app_shard, put_text, user_shard};
use super::{AUDIENCE, TAGGED};

fn base(app: AppId, tag: &Tag) -> BytesMut {
    let mut key = BytesMut::with_capacity(4 + tag.as_str().len() + 1 + 64);
    key.put_u32(app.0);
    put_text(&mut key, tag.as_str());
    key
}

/// Where the keys of a tag begin, and where they end.
fn of_tag(app: AppId, tag: &Tag) -> (Bytes, Bound<Bytes>) {
    let prefix = base(app, tag).freeze();
    let mut end = BytesMut::from(&prefix[..]);
    if let Some(last) = end.last_mut() {
        // The zero that ends the tag.
        *last = 1;
    }
    (prefix, Bound::Excluded(end.freeze()))
}

/// The row that says there may be this conversation for this tag.
pub(crate) fn audience_key(app: AppId, tag: &Tag, name: &str) -> Key {
    let mut key = base(app, tag);
    key.put_slice(name.as_bytes());
    Key::new(AUDIENCE, app_shard(app), key.freeze())
}

/// The conversations for a tag.
pub(crate) fn audience(app: AppId, tag: &Tag, limit: usize) -> Scan {
    let (from, to) = of_tag(app, tag);
    Scan::range(AUDIENCE, app_shard(app), Bound::Included(from), to).limit(limit)
}

/// The conversation of such a row.
pub(crate) fn conversation_of_audience<'a>(
    app: AppId,
    tag: &Tag,
    key: &'a Bytes,
) -> Option<&'a str> {
    // The same form.
    user_of_tagged(app, tag, key)
}

/// The row that says the user has this tag.
pub(crate) fn tagged_key(app: AppId, tag: &Tag, user: &UserId) -> Key {
    let mut key = base(app, tag);
    key.put_slice(user.as_str().as_bytes());
    Key::new(TAGGED, user_shard(app, user.as_str()), key.freeze())
}

/// The users of a tag in a shard, behind this one; all if it is empty.
pub(crate) fn tagged_range(app: AppId, tag: &Tag, shard: Shard, after: &str, limit: usize) -> Scan {
    let (prefix, end) = of_tag(app, tag);
    let from = match after {
        "" => Bound::Included(prefix),
        after => {
            let mut key = BytesMut::from(&prefix[..]);
            key.put_slice(after.as_bytes());
            Bound::Excluded(key.freeze())
        }
    };
    Scan::range(TAGGED, shard, from, end).limit(limit)
}

/// The user of such a row.
pub(crate) fn user_of_tagged<'a>(app: AppId, tag: &Tag, key: &'a Bytes) -> Option<&'a str> {
    let rest = key.strip_prefix(&base(app, tag)[..])?;
    std::str::from_utf8(rest).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_never_sees_users_of_one_that_starts_alike() {
        let (short, long) = (Tag::new("a").unwrap(), Tag::new("ab").unwrap());
        let user = UserId::new("u").unwrap();
        let key = tagged_key(AppId(1), &long, &user);
        let range = tagged_range(AppId(1), &short, key.shard, "", 10);
        let within = |key: &Bytes| {
            let from = match &range.from {
                Bound::Included(from) => key >= from,
                _ => false,
            };
            let to = match &range.to {
                Bound::Excluded(to) => key < to,
                _ => false,
            };
            from && to
        };
        assert!(!within(&key.bytes));
        assert!(within(&tagged_key(AppId(1), &short, &user).bytes));
        assert_eq!(user_of_tagged(AppId(1), &long, &key.bytes), Some("u"));
    }
}
