//! Browses an archive: through the indexes, so that a page of a conversation does not unpack the
//! rest.

mod text;

use std::collections::VecDeque;
use std::process::ExitCode;

use serde::Deserialize;

use self::text::{conversation_line, message_line};
use crate::civil::{DAY_MS, day_start, iso, parse_iso};
use crate::cli::{ShowArgs, ShowWhat};
use crate::error::Error;
use crate::layout::{Layout, class_unit};
use crate::manifest::Manifest;
use crate::progress::say;
use crate::rows::{MessageHead, Row};
use crate::segment::Segment;

/// Runs `show`.
pub(crate) fn run(args: &ShowArgs) -> Result<ExitCode, Error> {
    let layout = Layout::new(&args.archive);
    let manifest = Manifest::load(&layout)?
        .ok_or_else(|| Error::damaged(layout.root(), "there is no finished archive"))?;
    let archive = Archive { layout, manifest };
    match args.what.as_ref().unwrap_or(&ShowWhat::Summary) {
        ShowWhat::Summary => archive.summary(args.json),
        ShowWhat::Conversations {
            member,
            after,
            limit,
        } => {
            let rows = archive.conversations(member.as_deref(), after.as_deref(), *limit)?;
            print(&rows, args.json, conversation_line);
        }
        ShowWhat::Messages {
            conversation,
            from,
            before,
            limit,
        } => {
            let newest_first = before.is_some() && from.is_none();
            let page = Page {
                from: *from,
                before: *before,
                limit: *limit,
                newest_first,
            };
            let rows = archive.messages(conversation, &page, |head| head.is_in(conversation))?;
            print(&rows, args.json, message_line);
        }
        ShowWhat::User { user, limit } => {
            let conversations = archive.conversations(Some(user), None, usize::MAX)?;
            print(&conversations, args.json, conversation_line);
            let page = Page {
                from: None,
                before: None,
                limit: *limit,
                newest_first: true,
            };
            let sent = archive.messages(user, &page, |head| head.from.as_deref() == Some(user))?;
            print(&sent, args.json, message_line);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print(rows: &[Row], as_json: bool, line: fn(&Row) -> String) {
    for row in rows {
        if as_json {
            say(&String::from_utf8_lossy(&row.line))
        } else {
            say(&line(row))
        }
    }
}

struct Archive {
    layout: Layout,
    manifest: Manifest,
}

/// Which messages to show.
struct Page {
    from: Option<i64>,
    before: Option<i64>,
    limit: usize,
    newest_first: bool,
}

impl Page {
    fn covers(&self, time: i64) -> bool {
        self.from.is_none_or(|from| time >= from) && self.before.is_none_or(|before| time < before)
    }

    /// Whether any time in `first..=last` is covered.
    fn touches(&self, first: i64, last: i64) -> bool {
        self.from.is_none_or(|from| last >= from) && self.before.is_none_or(|before| first < before)
    }
}

impl MessageHead<'_> {
    /// In this conversation, or in this private stream of a service conversation.
    fn is_in(&self, conversation: &str) -> bool {
        [&self.to, &self.conversation]
            .iter()
            .any(|id| id.as_deref() == Some(conversation))
    }
}

impl Archive {
    fn summary(&self, as_json: bool) {
        let manifest = &self.manifest;
        if as_json {
            return say(&crate::progress::json(manifest));
        }
        say(&format!("application {}", manifest.app_id));
        if let (Some(from), Some(until)) = (manifest.messages_from, manifest.messages_until) {
            say(&format!(
                "messages from {} to before {} (UTC)",
                iso(from),
                iso(until)
            ));
        }
        for (name, unit) in manifest
            .units
            .iter()
            .filter(|(name, _)| !name.starts_with("messages/"))
        {
            say(&format!("{:>12}  {name}", unit.rows));
        }
        let days = manifest
            .units
            .keys()
            .filter(|name| name.starts_with("messages/"))
            .count();
        say(&format!(
            "{:>12}  messages in {days} days",
            manifest.totals.messages
        ));
        for (title, remarks) in [
            ("note", &manifest.notes),
            ("missing", &manifest.missing),
            ("lost", &manifest.lost),
        ] {
            for remark in remarks {
                say(&format!(
                    "{title}: {} × {}: {}",
                    remark.count, remark.what, remark.reason
                ));
            }
        }
    }

    fn conversations(
        &self,
        member: Option<&str>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Row>, Error> {
        #[derive(Deserialize)]
        struct Members {
            #[serde(default)]
            m: Option<Vec<String>>,
        }
        let unit = class_unit("_Conversation");
        let mut found = Vec::new();
        if self
            .manifest
            .units
            .get(&unit)
            .is_none_or(|unit| unit.rows == 0)
        {
            return Ok(found);
        }
        let segment = Segment::open(&self.layout, &unit)?;
        for (number, block) in segment.blocks.iter().enumerate() {
            let skipped = after.is_some_and(|after| block.last.1.as_str() <= after);
            if skipped || member.is_some_and(|member| !block.may_hold(member)) {
                continue;
            }
            for row in segment.rows_of(number)? {
                let members = serde_json::from_slice::<Members>(&row.line)
                    .ok()
                    .and_then(|row| row.m);
                let wanted = member.is_none_or(|member| {
                    members.is_some_and(|members| members.iter().any(|name| name == member))
                });
                if wanted && after.is_none_or(|after| row.id.as_str() > after) {
                    found.push(row);
                    if found.len() == limit {
                        return Ok(found);
                    }
                }
            }
        }
        Ok(found)
    }

    /// Messages that `wanted` picks out of the blocks that may hold `key`, oldest first.
    fn messages(
        &self,
        key: &str,
        page: &Page,
        wanted: impl Fn(&MessageHead<'_>) -> bool,
    ) -> Result<Vec<Row>, Error> {
        let days = self.manifest.units.iter().filter(|(_, unit)| unit.rows > 0);
        let mut days: Vec<&str> = days
            .filter_map(|(name, _)| name.strip_prefix("messages/"))
            .collect();
        days.retain(|day| {
            let start = parse_iso(day).unwrap_or(day_start(0));
            page.touches(start, start + DAY_MS - 1)
        });
        if page.newest_first {
            days.reverse();
        }
        let mut found = VecDeque::new();
        for day in days {
            let segment = Segment::open(&self.layout, &format!("messages/{day}"))?;
            let mut blocks: Vec<usize> = (0..segment.blocks.len()).collect();
            if page.newest_first {
                blocks.reverse();
            }
            for number in blocks {
                let block = &segment.blocks[number];
                if !page.touches(block.first.0, block.last.0) || !block.may_hold(key) {
                    continue;
                }
                let mut rows = segment.rows_of(number)?;
                rows.retain(|row| {
                    let head = serde_json::from_slice::<MessageHead<'_>>(&row.line);
                    page.covers(row.time) && head.is_ok_and(|head| wanted(&head))
                });
                if page.newest_first {
                    rows.into_iter().rev().for_each(|row| found.push_front(row));
                } else {
                    found.extend(rows);
                }
                if found.len() >= page.limit {
                    let surplus = found.len() - page.limit;
                    let range = if page.newest_first {
                        0..surplus
                    } else {
                        page.limit..found.len()
                    };
                    found.drain(range);
                    return Ok(found.into());
                }
            }
        }
        Ok(found.into())
    }
}
