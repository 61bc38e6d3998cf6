//! Receipts: where members stand, and who has read a message.

use anser_domain::Reject;
use anser_domain::limits::{RECEIPTS_PAGE_DEFAULT, RECEIPTS_PAGE_MAX};
use anser_engine::receipt::{ReaderPage, Receipt, ReceiptNews, ReceiptPage};
use anser_proto::client as wire;

use super::page_limit;

/// How many receipts, or readers, are asked for.
pub(crate) fn receipts_limit(limit: u32) -> Result<usize, Reject> {
    page_limit(limit, RECEIPTS_PAGE_DEFAULT, RECEIPTS_PAGE_MAX)
}

fn receipt(receipt: &Receipt) -> wire::Receipt {
    wire::Receipt {
        user: (*receipt.user).to_owned(),
        delivered_seq: receipt.delivered_seq,
        read_seq: receipt.read_seq,
    }
}

/// Others moved.
pub(crate) fn receipt_push(news: &ReceiptNews) -> wire::ReceiptPush {
    wire::ReceiptPush {
        conversation: (*news.conversation).to_owned(),
        receipts: news.receipts.iter().map(receipt).collect(),
        acknowledgements: news
            .acknowledgements
            .iter()
            .map(|it| wire::Acknowledgement {
                seq: it.seq,
                user: (*it.user).to_owned(),
                time: it.time.0,
            })
            .collect(),
    }
}

/// A part of the feed of receipts.
pub(crate) fn receipt_page(page: &ReceiptPage) -> wire::ReceiptPage {
    wire::ReceiptPage {
        conversation: (*page.conversation).to_owned(),
        receipts: page.receipts.iter().map(receipt).collect(),
        version: page.version,
        more: page.more,
    }
}

/// A part of those who have read a message.
pub(crate) fn reader_page(page: ReaderPage) -> wire::ReaderPage {
    let number = |count: usize| u32::try_from(count).expect("groups are bounded");
    wire::ReaderPage {
        users: page
            .users
            .iter()
            .map(|user| user.as_str().to_owned())
            .collect(),
        cursor: page.cursor,
        count: number(page.count),
        of: number(page.of),
    }
}
