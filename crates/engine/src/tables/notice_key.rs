//! Keys of what users were told.

use std::ops::Bound;

use anser_domain::Timestamp;
use anser_store::{Key, Scan};
use bytes::Bytes;

use super::NOTICE;
use super::key::UserKeys;

impl UserKeys {
    /// A notice of that time.
    pub(crate) fn notice(&self, time: Timestamp, random: [u8; 8]) -> Key {
        let mut rest = [0; 16];
        rest[..8].copy_from_slice(&time.0.to_be_bytes());
        rest[8..].copy_from_slice(&random);
        self.key(NOTICE, &rest)
    }

    /// The address of a notice that a scan found.
    pub(crate) fn notice_of(&self, key: &Bytes) -> Key {
        let mut notice = self.key(NOTICE, &[]);
        notice.bytes = key.clone();
        notice
    }

    /// Notices of a later time than this one.
    pub(crate) fn notices_after(&self, time: Timestamp, limit: usize) -> Scan {
        let first = self.notice(time.plus_ms(1), [0; 8]);
        let last = self.notice(Timestamp(u64::MAX), [u8::MAX; 8]);
        let (from, to) = (Bound::Included(first.bytes), Bound::Included(last.bytes));
        Scan::range(NOTICE, first.shard, from, to).limit(limit)
    }

    /// The time of a notice.
    pub(crate) fn time_of_notice(&self, key: &[u8]) -> Option<Timestamp> {
        let rest = key.strip_prefix(&self.key(NOTICE, &[]).bytes[..])?;
        let time = rest.first_chunk::<8>().filter(|_| rest.len() == 16)?;
        Some(Timestamp(u64::from_be_bytes(*time)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anser_domain::AppId;

    #[test]
    fn what_is_written_into_a_key_is_read_from_it() {
        let keys = UserKeys::new(AppId(7), "u");
        let key = keys.notice(Timestamp(9), [1; 8]);
        assert_eq!(keys.time_of_notice(&key.bytes), Some(Timestamp(9)));
        assert_eq!(keys.notice_of(&key.bytes), key);
        assert_eq!(keys.time_of_notice(&key.bytes[..10]), None);
        let scan = keys.notices_after(Timestamp(9), 1);
        assert_eq!(
            scan.from,
            Bound::Included(keys.notice(Timestamp(10), [0; 8]).bytes)
        );
    }
}
