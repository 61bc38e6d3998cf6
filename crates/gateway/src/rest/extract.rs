//! Reading requests: JSON bodies, query strings and path parameters, refused in the API's own
//! error shape and with the field named.

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;
use std::ops::RangeInclusive;

use anser_domain::limits::BAN_SECONDS_MAX;
use anser_domain::{ConversationId, DeviceId, GroupId, UserId};
use axum::extract::rejection::{BytesRejection, FailedToBufferBody, JsonRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::Api;
use super::failure::{Failure, Result};

/// The largest integer that every JSON reader keeps exact (RFC 8259, section 6).
pub(crate) const JSON_INTEGER_MAX: u64 = (1 << 53) - 1;

/// A JSON object. What serde derives for a struct takes an array as well, its items for the fields
/// in their order: a promise that nobody means to keep.
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct OnlyMaps<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for OnlyMaps<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                map: A,
            ) -> std::result::Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(OnlyMaps(PhantomData))
    }
}

/// For optional fields: they may be absent, but `null` is no value of theirs.
pub(crate) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A JSON body.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Api> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, api: &Api) -> Result<Self> {
        match axum::Json::from_request(request, api).await {
            Ok(axum::Json(Object(value))) => Ok(Self(value)),
            Err(rejection) => Err(refuse_body(&rejection, api.settings.body_bytes_max)),
        }
    }
}

/// A JSON body whose fields are all optional: without a body, it is the default.
pub(crate) struct OptionalBody<T>(pub(crate) T);

impl<T: DeserializeOwned + Default> FromRequest<Api> for OptionalBody<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, api: &Api) -> Result<Self> {
        if has_no_body(request.headers()) {
            return Ok(Self(T::default()));
        }
        let Body(value) = Body::from_request(request, api).await?;
        Ok(Self(value))
    }
}

fn has_no_body(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_LENGTH).map_or_else(
        || !headers.contains_key(header::TRANSFER_ENCODING),
        |length| length == "0",
    )
}

fn refuse_body(rejection: &JsonRejection, bytes_max: usize) -> Failure {
    match rejection {
        JsonRejection::MissingJsonContentType(_) => {
            Failure::invalid("the body must be JSON, with `Content-Type: application/json`")
                .status(StatusCode::UNSUPPORTED_MEDIA_TYPE)
        }
        JsonRejection::BytesRejection(BytesRejection::FailedToBufferBody(
            FailedToBufferBody::LengthLimitError(_),
        )) => Failure::invalid(format!("the body is larger than {bytes_max} bytes"))
            .status(StatusCode::PAYLOAD_TOO_LARGE),
        other => Failure::invalid(innermost(other)),
    }
}

/// The message of the deepest cause: the outer ones say only that something could not be read.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// A query string.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Api> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self> {
        match axum::extract::Query::from_request_parts(parts, api).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(error) => Err(Failure::invalid(format!(
                "query string: {}",
                innermost(&error)
            ))),
        }
    }
}

/// The parameters of a path, percent-decoded.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Api> for Path<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self> {
        match axum::extract::Path::from_request_parts(parts, api).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(error) => Err(Failure::invalid(format!("path: {}", error.body_text()))),
        }
    }
}

/// Checks a user id; `field` names it in the refusal.
pub(crate) fn user_id(field: &str, text: &str) -> Result<UserId> {
    UserId::new(text).map_err(|why| Failure::invalid(format!("{field} {why}")))
}

/// Checks user ids, of which so many may be named; each comes once.
pub(crate) fn users(
    field: &str,
    texts: &[String],
    count: RangeInclusive<usize>,
) -> Result<Vec<UserId>> {
    if !count.contains(&texts.len()) {
        let (min, max) = (count.start(), count.end());
        let message = format!("{field} has not {min}–{max} items");
        return Err(Failure::invalid(message));
    }
    let mut seen = BTreeSet::new();
    let all = texts.iter().enumerate();
    let once = all.filter(|(_, text)| seen.insert(text.as_str()));
    once.map(|(at, text)| user_id(&format!("{field}[{at}]"), text))
        .collect()
}

/// Checks a group id.
pub(crate) fn group_id(field: &str, text: &str) -> Result<GroupId> {
    GroupId::new(text).map_err(|why| Failure::invalid(format!("{field} {why}")))
}

/// Checks a device id.
pub(crate) fn device_id(field: &str, text: &str) -> Result<DeviceId> {
    DeviceId::new(text).map_err(|why| Failure::invalid(format!("{field} {why}")))
}

/// Checks the name of a conversation.
pub(crate) fn conversation_id(text: &str) -> Result<ConversationId> {
    ConversationId::parse(text).map_err(|why| {
        Failure::invalid(format!(
            "conversation {why}: it is p/<user>/<user> (ids in byte order), g/<group>, c/<id> or \
             t/<id> or s/<id>, with % and / inside ids written %25 and %2F"
        ))
    })
}

/// Checks the size of a page; `None` takes the engine's default.
pub(crate) fn page_limit(limit: Option<u64>, max: usize) -> Result<usize> {
    match limit {
        None => Ok(0),
        Some(limit) => usize::try_from(limit)
            .ok()
            .filter(|limit| (1..=max).contains(limit))
            .ok_or_else(|| Failure::invalid(format!("limit is not in 1–{max}"))),
    }
}

/// Checks an integer that every JSON reader must be able to hold.
pub(crate) fn json_integer(field: &str, value: u64) -> Result<u64> {
    if value > JSON_INTEGER_MAX {
        return Err(Failure::invalid(format!("{field} is above 2^53 − 1")));
    }
    Ok(value)
}

/// Bytes of a cursor; those the engine makes are far shorter.
const CURSOR_BYTES_MAX: usize = 1024;

/// Checks the length of a cursor; what is in it is the engine's to check.
pub(crate) fn cursor(text: &str) -> Result<&str> {
    if text.len() > CURSOR_BYTES_MAX {
        return Err(Failure::invalid("cursor is not one that a page came with"));
    }
    Ok(text)
}

/// Checks for how long a mute or a ban is to hold, in seconds.
pub(crate) fn hold_seconds(seconds: u64) -> Result<u64> {
    if seconds > BAN_SECONDS_MAX {
        let message = format!("seconds is above {BAN_SECONDS_MAX}");
        return Err(Failure::invalid(message));
    }
    Ok(seconds)
}

/// Checks where a page starts, and its size.
pub(crate) fn page(text: &str, limit: Option<u64>, max: usize) -> Result<(&str, usize)> {
    Ok((cursor(text)?, page_limit(limit, max)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_checked_and_named_once() {
        let names = |texts: &[&str], count| {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            users("targets", &texts, count)
        };
        let ids = names(&["b", "a", "b"], 0..=3).ok().unwrap();
        let ids: Vec<&str> = ids.iter().map(UserId::as_str).collect();
        assert_eq!(ids, ["b", "a"]);
        assert!(names(&[], 0..=3).is_ok());
        assert!(names(&[], 1..=3).is_err());
        assert!(names(&["a", "a"], 0..=1).is_err());
        assert!(names(&["a", ""], 0..=3).is_err());
    }
}
