//! Rows as lines for people.

use serde::Deserialize;
use serde_json::Value;

use crate::archive::Flags;
use crate::civil::iso;
use crate::rows::Row;

/// Characters of a message's text that are shown.
const TEXT_CHARS_MAX: usize = 200;

/// `id  sort  name  members`
pub(super) fn conversation_line(row: &Row) -> String {
    #[derive(Deserialize)]
    struct Conversation {
        name: Option<String>,
        #[serde(default)]
        m: Option<Vec<String>>,
        #[serde(flatten)]
        flags: Flags,
    }
    let Ok(conversation) = serde_json::from_slice::<Conversation>(&row.line) else {
        return harmless(&row.id);
    };
    let sort = format!("{:?}", conversation.flags.sort()).to_lowercase();
    let members = conversation.m.unwrap_or_default();
    let some = members
        .iter()
        .take(5)
        .cloned()
        .collect::<Vec<_>>()
        .join(" ");
    let more = if members.len() > 5 {
        format!(" … {} members", members.len())
    } else {
        String::new()
    };
    let name = conversation.name.unwrap_or_default();
    harmless(&format!("{}  {sort}  {name}  [{some}{more}]", row.id))
}

/// `time  id  sender: text`
pub(super) fn message_line(row: &Row) -> String {
    #[derive(Deserialize)]
    struct Message {
        from: Option<String>,
        data: Option<Value>,
        #[serde(default)]
        bin: Option<bool>,
    }
    let Ok(message) = serde_json::from_slice::<Message>(&row.line) else {
        return harmless(&format!("{}  {}", iso(row.time), row.id));
    };
    let text = match message.data {
        Some(Value::String(data)) if message.bin == Some(true) => {
            format!("<{} bytes in base64>", data.len())
        }
        Some(Value::String(data)) => typed_text(&data),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let from = message.from.unwrap_or_default();
    let shown: String = text.chars().take(TEXT_CHARS_MAX).collect();
    harmless(&format!("{}  {}  {from}: {shown}", iso(row.time), row.id))
}

/// The text of a typed message (`_lctext`), its type if it has no text, or the content itself.
fn typed_text(data: &str) -> String {
    let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(data) else {
        return data.to_owned();
    };
    match (
        fields.get("_lctext"),
        fields.get("_lctype").and_then(Value::as_i64),
    ) {
        (_, Some(-127)) => "<recalled>".to_owned(),
        (Some(Value::String(text)), _) if !text.is_empty() => text.clone(),
        (_, Some(sort)) => format!("<message of type {sort}> {data}"),
        _ => data.to_owned(),
    }
}

/// Without control characters: what users wrote must not command the terminal.
fn harmless(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '␣' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::Kind;

    fn line(data: &str) -> String {
        let row = serde_json::json!({"timestamp": 0, "msg-id": "m", "from": "Tom", "data": data});
        message_line(&Kind::Messages.row(row.to_string().as_bytes()).unwrap())
    }

    #[test]
    fn text_of_typed_and_plain_messages() {
        assert!(line(r#"{"_lctype":-1,"_lctext":"你好"}"#).ends_with("Tom: 你好"));
        assert!(line("plain\u{1b}[2Jtext\n").ends_with("Tom: plain␣[2Jtext␣"));
        assert!(line(r#"{"_lctype":-127}"#).ends_with("<recalled>"));
        assert!(line(r#"{"_lctype":-2}"#).contains("type -2"));
    }
}
