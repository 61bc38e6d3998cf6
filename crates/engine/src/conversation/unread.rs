//! What a user has not read, counted from running totals and the few exceptions. Nothing is read
//! when the user has read everything.

use anser_domain::position::{Hidden, ReadPosition, Recalled, Tally, exceptions, unread};
use anser_domain::{Code, Reject};
use anser_proto::stored;
use anser_store::{Scan, Store};
use bytes::Bytes;
use futures::future::try_join;

use super::loaded::damaged;
use super::view::Access;
use super::{ReadResult, reading, row};
use crate::fault;
use crate::tables::{self, ConversationKeys};

/// All rows of a scan, page by page.
pub(crate) async fn all_rows(store: &Store, scan: Scan) -> Result<Vec<(Bytes, Bytes)>, Reject> {
    let mut rows: Vec<(Bytes, Bytes)> = Vec::new();
    let mut next = scan;
    loop {
        let page = store.scan(next.clone()).await;
        let page = page.map_err(|e| fault::reject(&e))?;
        rows.extend(page.rows);
        match rows.last() {
            Some((last, _)) if page.more => {
                next = next.from(std::ops::Bound::Excluded(last.clone()));
            }
            _ => return Ok(rows),
        }
    }
}

fn seq_of(key: &[u8]) -> Result<u64, Reject> {
    tables::last_number(key).ok_or_else(damaged)
}

/// One user in one conversation, with the position from which unread is counted.
pub(crate) struct Reader<'a> {
    pub(crate) store: &'a Store,
    pub(crate) keys: &'a ConversationKeys,
    pub(crate) user: &'a str,
    pub(crate) head: &'a stored::Head,
    pub(crate) position: &'a stored::Position,
    pub(crate) access: Access,
}

impl Reader<'_> {
    /// The highest of what was read, what is not for the user, and what the user cleared.
    fn from(&self) -> ReadPosition {
        reading::position(self.position).advance(self.access.unread_after)
    }

    /// Where the read position stands, and what is unread beyond it.
    pub(crate) async fn result(&self) -> Result<ReadResult, Reject> {
        let from = self.from();
        let mut result = ReadResult {
            read_seq: self.position.read_seq,
            ..Default::default()
        };
        if self.head.seq <= from.seq {
            return Ok(result);
        }
        let (recalled, hidden) = try_join(self.recalled(from.seq), self.hidden(from.seq)).await?;
        let tally = Tally {
            head_ordinal: self.head.ordinal,
            from,
            own: self.own(from.ordinal).await?,
            targeted: self.targeted(from.seq).await?,
            exceptions: exceptions(&recalled, &hidden),
        };
        result.unread = unread(tally);
        let gone = |seq: u64| {
            recalled.iter().any(|it| it.seq == seq) || hidden.iter().any(|it| it.seq == seq)
        };
        let mentions = self.mentions(from.seq).await?;
        result.unread_mentions = mentions.into_iter().filter(|seq| !gone(*seq)).count() as u64;
        Ok(result)
    }

    /// The unread messages that mention the user, the oldest first.
    pub(crate) async fn unread_mentions(&self, limit: usize) -> Result<Vec<u64>, Reject> {
        let from = self.from();
        if self.head.seq <= from.seq {
            return Ok(Vec::new());
        }
        let (recalled, hidden) = try_join(self.recalled(from.seq), self.hidden(from.seq)).await?;
        let mut seqs = self.mentions(from.seq).await?;
        seqs.retain(|seq| {
            !recalled.iter().any(|it| it.seq == *seq) && !hidden.iter().any(|it| it.seq == *seq)
        });
        seqs.truncate(limit);
        Ok(seqs)
    }

    async fn own(&self, from_ordinal: u64) -> Result<u64, Reject> {
        if self.head.ordinal <= from_ordinal {
            return Ok(0);
        }
        let (store, keys) = (self.store, self.keys);
        let to_head = row::own_count(store, keys, self.user, self.head.ordinal).await?;
        if from_ordinal == 0 || to_head == 0 {
            return Ok(to_head);
        }
        Ok(to_head - row::own_count(store, keys, self.user, from_ordinal).await?)
    }

    async fn targeted(&self, after: u64) -> Result<u64, Reject> {
        let total = async |seq: u64| -> Result<u64, Reject> {
            let page = self.store.scan(self.keys.targeted_up_to(self.user, seq));
            let page = page.await.map_err(|e| fault::reject(&e))?;
            page.rows.first().map_or(Ok(0), |(_, value)| {
                tables::last_number(value).ok_or_else(damaged)
            })
        };
        match total(self.head.seq).await? {
            0 => Ok(0),
            to_head => Ok(to_head - total(after).await?),
        }
    }

    async fn recalled(&self, after: u64) -> Result<Vec<Recalled>, Reject> {
        let scan = self.keys.recalled_between(after, self.head.seq);
        let rows = all_rows(self.store, scan).await?;
        let read = |(key, value): &(Bytes, Bytes)| {
            let row: stored::RecalledRow = tables::decode(value)?;
            let own = row.sender == self.user;
            Ok(Recalled {
                seq: seq_of(key)?,
                counted: row.counted,
                own,
                visible: own
                    || row.targets.is_empty()
                    || row.targets.iter().any(|target| target == self.user),
            })
        };
        rows.iter().map(read).collect()
    }

    async fn hidden(&self, after: u64) -> Result<Vec<Hidden>, Reject> {
        if self.position.deleted_version == 0 {
            return Ok(Vec::new());
        }
        let scan = self.keys.hidden_between(self.user, after, self.head.seq);
        let rows = all_rows(self.store, scan).await?;
        let read = |(key, value): &(Bytes, Bytes)| {
            let row: stored::HiddenRow = tables::decode(value)?;
            Ok(Hidden {
                seq: seq_of(key)?,
                counted: row.counted,
                own: row.own,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Mentions of the user and of all by others, ascending, each once.
    async fn mentions(&self, after: u64) -> Result<Vec<u64>, Reject> {
        let mut seqs = std::collections::BTreeSet::new();
        for whom in [self.user, ""] {
            let scan = self.keys.mentions(whom, after, self.head.seq);
            for (key, value) in all_rows(self.store, scan).await? {
                let row: stored::MentionRow = tables::decode(&value)?;
                if row.sender != self.user {
                    seqs.insert(seq_of(&key)?);
                }
            }
        }
        Ok(seqs.into_iter().collect())
    }
}

/// The messages between two sequences that the user has deleted.
pub(crate) async fn hidden_seqs(
    store: &Store,
    keys: &ConversationKeys,
    user: &str,
    low: u64,
    high: u64,
) -> Result<std::collections::BTreeSet<u64>, Reject> {
    if low == 0 {
        return Err(Reject::new(Code::Internal, "sequences begin with 1"));
    }
    let rows = all_rows(store, keys.hidden_between(user, low - 1, high)).await?;
    rows.iter().map(|(key, _)| seq_of(key)).collect()
}
