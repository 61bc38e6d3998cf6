//! Signing in.

use anser_domain::limits::{
    HEARTBEAT_SECONDS_DEFAULT, HEARTBEAT_SECONDS_MAX, HEARTBEAT_SECONDS_MIN, TOKEN_BYTES_MAX,
};
use anser_domain::{Code, DeviceId, Platform, Reject};
use anser_proto::client as wire;

use super::bad_id;

/// The versions of the protocol spoken here.
const VERSION_MIN: u32 = 1;
const VERSION_MAX: u32 = 1;
/// Bytes of the SDK's name and version.
const CLIENT_BYTES_MAX: usize = 64;

/// A checked Hello.
#[derive(Debug)]
pub(crate) struct Hello {
    pub(crate) version: u32,
    pub(crate) token: String,
    pub(crate) device: DeviceId,
    pub(crate) platform: Platform,
    pub(crate) client: Box<str>,
    pub(crate) heartbeat_seconds: u32,
    pub(crate) attempt: u64,
}

/// Checks everything but the token itself.
pub(crate) fn hello(hello: wire::Hello) -> Result<Hello, Reject> {
    let invalid = |message: &'static str| Reject::new(Code::InvalidRequest, message);
    let version = hello.version_max.min(VERSION_MAX);
    if version < VERSION_MIN || version < hello.version_min {
        let message = format!(
            "the client speaks versions {} to {}, the server {VERSION_MIN} to {VERSION_MAX}",
            hello.version_min, hello.version_max
        );
        return Err(Reject::new(Code::VersionNotSupported, message));
    }
    if hello.token.len() > TOKEN_BYTES_MAX {
        return Err(Reject::new(Code::TokenInvalid, "the token is too long"));
    }
    if hello.client.len() > CLIENT_BYTES_MAX || hello.client.chars().any(char::is_control) {
        return Err(invalid("client is at most 64 bytes, printable"));
    }
    let platform = match wire::Platform::try_from(hello.platform) {
        Ok(wire::Platform::Ios) => Platform::Ios,
        Ok(wire::Platform::Android) => Platform::Android,
        Ok(wire::Platform::Web) => Platform::Web,
        Ok(wire::Platform::Desktop) => Platform::Desktop,
        Ok(wire::Platform::MiniProgram) => Platform::MiniProgram,
        Ok(wire::Platform::Server) => Platform::Server,
        Ok(wire::Platform::Unspecified) | Err(_) => {
            return Err(invalid("platform is none of those that exist"));
        }
    };
    let heartbeat_seconds = match hello.heartbeat_seconds {
        0 => HEARTBEAT_SECONDS_DEFAULT,
        chosen => chosen.clamp(HEARTBEAT_SECONDS_MIN, HEARTBEAT_SECONDS_MAX),
    };
    Ok(Hello {
        version,
        token: hello.token,
        device: DeviceId::new(&hello.device_id).map_err(|why| bad_id("device_id", why))?,
        platform,
        client: hello.client.into_boxed_str(),
        heartbeat_seconds,
        attempt: hello.attempt,
    })
}

/// A platform on the wire.
pub(super) fn platform(platform: Platform) -> wire::Platform {
    match platform {
        Platform::Ios => wire::Platform::Ios,
        Platform::Android => wire::Platform::Android,
        Platform::Web => wire::Platform::Web,
        Platform::Desktop => wire::Platform::Desktop,
        Platform::MiniProgram => wire::Platform::MiniProgram,
        Platform::Server => wire::Platform::Server,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> wire::Hello {
        wire::Hello {
            version_min: 1,
            version_max: 9,
            token: "t".into(),
            device_id: "d".into(),
            platform: wire::Platform::Web.into(),
            client: "test/1".into(),
            heartbeat_seconds: 0,
            attempt: 0,
        }
    }

    #[test]
    fn versions_meet_or_the_client_hears_which_there_are() {
        assert_eq!(hello(good()).unwrap().version, 1);
        for (min, max) in [(2, 3), (0, 0), (3, 1)] {
            let refused = hello(wire::Hello {
                version_min: min,
                version_max: max,
                ..good()
            })
            .unwrap_err();
            assert_eq!(refused.code, Code::VersionNotSupported, "{min}..{max}");
        }
    }

    #[test]
    fn the_heartbeat_is_the_clients_choice_within_bounds() {
        for (chosen, honoured) in [(0, 60), (1, 10), (45, 45), (9_999, 600)] {
            let heartbeat_seconds = chosen;
            let hello = hello(wire::Hello {
                heartbeat_seconds,
                ..good()
            });
            assert_eq!(hello.unwrap().heartbeat_seconds, honoured);
        }
    }

    #[test]
    fn a_device_has_a_name_and_a_kind() {
        let no_device = wire::Hello {
            device_id: String::new(),
            ..good()
        };
        assert_eq!(hello(no_device).unwrap_err().message, "device_id is empty");
        for platform in [0, 77, -1] {
            let refused = hello(wire::Hello { platform, ..good() }).unwrap_err();
            assert_eq!(refused.code, Code::InvalidRequest);
        }
    }
}
