//! The configuration: one struct, whose comments are the reference.
//!
//! A value comes from, in rising order: its default, the TOML file, the environment, a flag. Names
//! that mean nothing are errors, in the file and in the environment alike: a setting with a typing
//! error must not become a default in silence. `anser.sample.toml` and `docs/configuration.md`
//! are made from this file ([`sample`], [`reference`]), and a test finds them out of date.

use std::fmt;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anser_domain::limits::{
    BAN_SECONDS_MAX, CONTENT_BYTES_DEFAULT, CONTENT_BYTES_MAX, EDIT_SECONDS_DEFAULT,
    FIRST_WINDOW_DEFAULT, PAGE_ITEMS_MAX, RECALL_SECONDS_DEFAULT,
};
use anser_domain::login::LoginPolicy;
use anser_domain::retention::{RETENTION_DAYS_DEFAULT, RETENTION_DAYS_MAX, RETENTION_DAYS_MIN};
use serde::{Deserialize, Serialize};

/// One setting, for what is generated.
struct Field {
    section: &'static str,
    key: &'static str,
    about: &'static [&'static str],
}

macro_rules! settings {
    (
        top { $( $(#[doc = $doc:literal])+ $key:ident: $kind:ty = $default:expr; )+ }
        $(
            $(#[doc = $section_doc:literal])+ $section:ident: $name:ident {
                $( $(#[doc = $inner_doc:literal])+ $inner:ident: $inner_kind:ty = $inner_default:expr; )+
            }
        )+
    ) => {
        /// Everything that can be set.
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct Config {
            $( $(#[doc = $doc])+ pub $key: $kind, )+
            $( $(#[doc = $section_doc])+ pub $section: $name, )+
        }

        impl Default for Config {
            fn default() -> Self {
                Self { $( $key: $default, )+ $( $section: $name::default(), )+ }
            }
        }

        $(
            $(#[doc = $section_doc])+
            #[derive(Clone, Debug, Serialize, Deserialize)]
            #[serde(deny_unknown_fields, default)]
            pub struct $name {
                $( $(#[doc = $inner_doc])+ pub $inner: $inner_kind, )+
            }

            impl Default for $name {
                fn default() -> Self {
                    Self { $( $inner: $inner_default, )+ }
                }
            }
        )+

        const FIELDS: &[Field] = &[
            $( Field { section: "", key: stringify!($key), about: &[$($doc),+] }, )+
            $($( Field {
                section: stringify!($section),
                key: stringify!($inner),
                about: &[$($inner_doc),+],
            }, )+)+
        ];

        const SECTIONS: &[(&str, &[&str])] = &[
            $( (stringify!($section), &[$($section_doc),+]), )+
        ];
    };
}

settings! {
    top {
        /// Where everything is kept. Created if absent; one server at a time.
        data: PathBuf = PathBuf::from("./data");
        /// Address and port for HTTP and WebSocket. Port 0 takes a free one.
        listen: String = "127.0.0.1:8080".to_owned();
        /// Address and port for the native protocol over TCP. Empty: none.
        tcp_listen: String = String::new();
        /// Serve the demo page and its tokens to everybody, not only to this machine. Anybody who
        /// reaches the server can then chat in the demo app under any name.
        demo: bool = false;
        /// The admin token, instead of the one in the data directory. At least 32 characters.
        admin_token: Secret = Secret::default();
    }

    /// TLS for both listeners, by two PEM files. They are read again on SIGHUP.
    tls: TlsConfig {
        /// The certificate chain, the server's own first. Empty: no TLS.
        cert: PathBuf = PathBuf::new();
        /// The private key.
        key: PathBuf = PathBuf::new();
    }

    /// What is logged to standard error. Secrets and contents of messages never are.
    log: LogConfig {
        /// `error`, `warn`, `info`, `debug`, `trace`, and exceptions by module.
        level: String = "info,fjall=warn,lsm_tree=warn".to_owned();
        /// `text`, `json` (one object a line), or `auto`: text on a terminal, json elsewhere.
        format: String = "auto".to_owned();
    }

    /// Messages and sessions.
    messages: MessagesConfig {
        /// Bytes of a message's content, type and body together; at most 131072.
        content_bytes_max: usize = CONTENT_BYTES_DEFAULT;
        /// How long the sender may take a message back, in seconds; at most 315360000.
        recall_seconds: u64 = RECALL_SECONDS_DEFAULT;
        /// How long the sender may edit a message, in seconds; at most 315360000. 0: never.
        edit_seconds: u64 = EDIT_SECONDS_DEFAULT;
        /// Days after which messages are removed; 2 to 1096. Apps may set their own.
        retention_days: u32 = RETENTION_DAYS_DEFAULT;
        /// Conversations that a new device is told of at once, 1 to 100; the rest as the list is
        /// scrolled.
        first_window: usize = FIRST_WINDOW_DEFAULT;
        /// Which sessions of a user may live side by side: `one_per_platform` (one phone, one
        /// desktop, one mini program, any number of tabs), `one`, or `many`.
        login_policy: String = "one_per_platform".to_owned();
        /// Messages that one client may send in a second, in the long run. 0: any number.
        client_messages_per_second: u32 = 5;
        /// Messages that one client may send at once after a pause.
        client_messages_burst: u32 = 20;
    }

    /// Connections of clients, WebSocket and TCP.
    connections: ConnectionsConfig {
        /// How many there may be, HTTP included. Each needs a file descriptor: see `nofile` of
        /// the service manager.
        max: usize = 1_000_000;
        /// How many of them may not have authenticated yet.
        unauthenticated_max: usize = 20_000;
        /// The same from one address, or one IPv6 /64. Many people may be behind it.
        unauthenticated_per_address_max: usize = 2_000;
        /// Seconds that clients are given to go at shutdown, before they are cut off.
        drain_seconds: u64 = 10;
    }

    /// The server API.
    api: ApiConfig {
        /// Bytes of a request's body.
        body_bytes_max: usize = 1024 * 1024;
        /// Seconds until a request is answered that the outcome is not known.
        timeout_seconds: u64 = 30;
        /// Messages to users that an app may send in a minute. 0: any number.
        user_messages_per_minute: u32 = 6_000;
        /// Messages to groups that an app may send in a second. 0: any number.
        group_messages_per_second: u32 = 20;
        /// Messages to chat rooms that an app may send in a second. 0: any number.
        room_messages_per_second: u32 = 0;
    }

    /// Uploaded files.
    media: MediaConfig {
        /// Where they are kept. Empty: `media` in the data directory.
        dir: PathBuf = PathBuf::new();
        /// Bytes of a file uploaded in one request. Larger ones go in pieces.
        request_bytes_max: u64 = 10 << 20;
        /// Bytes of a file.
        bytes_max: u64 = 100 << 20;
        /// Bytes that a user may upload in a day.
        user_bytes_per_day: u64 = 1 << 30;
        /// Uploads that a user may begin in a day.
        user_uploads_per_day: u32 = 1_000;
        /// Uploads under way at a time, of one user.
        user_parallel: usize = 4;
        /// Uploads under way at a time, in all.
        parallel: usize = 256;
        /// Hours after which an upload that was not finished is removed.
        unfinished_hours: u64 = 24;
        /// Days after which files are removed; at most 1096. 0: they are kept. Apps may set their
        /// own.
        retention_days: u32 = 0;
        /// Seconds for which an address for a download works.
        url_seconds: u64 = 3_600;
        /// Pixels of a picture that gets a thumbnail.
        pixels_max: u64 = 40_000_000;
        /// Threads that make thumbnails. Each takes up to 8 bytes a pixel.
        threads: usize = 1;
    }

    /// The embedded store.
    store: StoreConfig {
        /// Memory for blocks read from disk, in bytes.
        cache_bytes: u64 = 256 << 20;
        /// Writes are refused while the disk has less than this free, in bytes.
        free_space_min: u64 = 512 << 20;
    }
}

/// A value that never shows in logs or in what is printed of the configuration.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The value itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "unset" } else { "set" })
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("")
    }
}

/// Why there is no configuration: where it is wrong, and how.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

/// A value given on the command line: section, key, value.
pub type Override = (&'static str, &'static str, toml::Value);

/// The name of the environment variable with the path of the file.
const FILE_VARIABLE: &str = "ANSER_CONFIG";
/// Variables that are not settings of the server.
const OTHER_VARIABLES: &[&str] = &[FILE_VARIABLE, "ANSER_CHAT_TOKEN"];
/// Read if it is there and no other file is named.
const FILE_DEFAULT: &str = "anser.toml";

impl Config {
    /// Puts the configuration together. `file`: the path given on the command line;
    /// `environment`: all variables; `flags`: what flags say.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: Vec<Override>,
    ) -> Result<Self, ConfigError> {
        let ours: Vec<(String, String)> = environment
            .into_iter()
            .filter(|(name, _)| name.starts_with("ANSER_"))
            .collect();
        let named = file.map(Path::to_owned).or_else(|| {
            let variable = ours.iter().find(|(name, _)| name == FILE_VARIABLE);
            variable.map(|(_, path)| PathBuf::from(path))
        });
        let path = named.or_else(|| {
            let path = PathBuf::from(FILE_DEFAULT);
            path.is_file().then_some(path)
        });
        let mut table = match path {
            Some(path) => read_file(&path)?,
            None => toml::Table::new(),
        };
        for (name, text) in ours
            .iter()
            .filter(|(name, _)| !OTHER_VARIABLES.contains(&name.as_str()))
        {
            let field = FIELDS
                .iter()
                .find(|field| field.variable() == *name)
                .ok_or_else(|| unknown_variable(name))?;
            let value = field
                .parse(text)
                .map_err(|why| ConfigError(format!("environment variable {name}: {why}")))?;
            field.put(&mut table, value);
        }
        for (section, key, value) in flags {
            let field = FIELDS
                .iter()
                .find(|field| field.section == section && field.key == key)
                .expect("flags name fields");
            field.put(&mut table, value);
        }
        let config: Self = toml::Value::Table(table)
            .try_into()
            .map_err(|error| ConfigError(error.to_string()))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let wrong = |key: &str, why: &str| Err(ConfigError(format!("{key}: {why}")));
        if self.listen.parse::<SocketAddr>().is_err() {
            return wrong(
                "listen",
                "is not address:port, such as 127.0.0.1:8080 or [::]:8080",
            );
        }
        if !self.tcp_listen.is_empty() && self.tcp_listen.parse::<SocketAddr>().is_err() {
            return wrong("tcp_listen", "is neither empty nor address:port");
        }
        if self.data.as_os_str().is_empty() {
            return wrong("data", "is empty");
        }
        let token = self.admin_token.reveal();
        if !token.is_empty() && (token.len() < 32 || !token.bytes().all(|b| b.is_ascii_graphic())) {
            return wrong(
                "admin_token",
                "has fewer than 32 characters, or others than visible ASCII",
            );
        }
        if self.tls.cert.as_os_str().is_empty() != self.tls.key.as_os_str().is_empty() {
            return wrong("tls", "needs both cert and key, or neither");
        }
        if !["auto", "text", "json"].contains(&self.log.format.as_str()) {
            return wrong("log.format", "is not auto, text or json");
        }
        if let Err(why) = self
            .log
            .level
            .parse::<tracing_subscriber::filter::Targets>()
        {
            return wrong("log.level", &why.to_string());
        }
        if !(1..=CONTENT_BYTES_MAX).contains(&self.messages.content_bytes_max) {
            return wrong("messages.content_bytes_max", "is not in 1–131072");
        }
        if !(RETENTION_DAYS_MIN..=RETENTION_DAYS_MAX).contains(&self.messages.retention_days) {
            return wrong("messages.retention_days", "is not in 2–1096");
        }
        if !(1..=PAGE_ITEMS_MAX).contains(&self.messages.first_window) {
            return wrong("messages.first_window", "is not in 1–100");
        }
        for (key, seconds) in [
            ("messages.recall_seconds", self.messages.recall_seconds),
            ("messages.edit_seconds", self.messages.edit_seconds),
        ] {
            if seconds > BAN_SECONDS_MAX {
                return wrong(key, &format!("is above {BAN_SECONDS_MAX}, ten years"));
            }
        }
        if LoginPolicy::from_name(&self.messages.login_policy).is_none() {
            return wrong(
                "messages.login_policy",
                "is not one_per_platform, one or many",
            );
        }
        if self.messages.client_messages_burst == 0 {
            return wrong("messages.client_messages_burst", "is 0");
        }
        if self.connections.drain_seconds > 600 {
            return wrong("connections.drain_seconds", "is above 600");
        }
        if !(1024..=64 << 20).contains(&self.api.body_bytes_max) {
            return wrong("api.body_bytes_max", "is not in 1024–67108864");
        }
        if !(1..=600).contains(&self.api.timeout_seconds) {
            return wrong("api.timeout_seconds", "is not in 1–600");
        }
        self.check_media()?;
        if self.store.cache_bytes < 1 << 20 {
            return wrong("store.cache_bytes", "is below 1048576");
        }
        Ok(())
    }
}

impl Config {
    fn check_media(&self) -> Result<(), ConfigError> {
        let media = &self.media;
        let above_zero = [
            ("request_bytes_max", media.request_bytes_max),
            ("bytes_max", media.bytes_max),
            ("user_parallel", media.user_parallel as u64),
            ("parallel", media.parallel as u64),
        ];
        for (key, value) in above_zero {
            if value == 0 {
                return Err(ConfigError(format!("media.{key}: is 0")));
            }
        }
        let within = [
            ("unfinished_hours", media.unfinished_hours, 1, 24 * 30),
            ("url_seconds", media.url_seconds, 1, 7 * 24 * 3_600),
            ("pixels_max", media.pixels_max, 1, 500_000_000),
            ("threads", media.threads as u64, 1, 64),
            (
                "retention_days",
                media.retention_days.into(),
                0,
                RETENTION_DAYS_MAX.into(),
            ),
        ];
        for (key, value, min, max) in within {
            if !(min..=max).contains(&value) {
                return Err(ConfigError(format!("media.{key}: is not in {min}–{max}")));
            }
        }
        Ok(())
    }
}

fn read_file(path: &Path) -> Result<toml::Table, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| ConfigError(format!("{}: {error}", path.display())))?;
    // Read as what it should be first: only then do errors say the line.
    toml::from_str::<Config>(&text)
        .and_then(|_| toml::from_str(&text))
        .map_err(|error| ConfigError(format!("{}: {error}", path.display())))
}

fn unknown_variable(name: &str) -> ConfigError {
    let mut message = format!("environment variable {name} is no setting; those are");
    for field in FIELDS {
        let _ = write!(message, " {}", field.variable());
    }
    let _ = write!(message, " and {FILE_VARIABLE}");
    ConfigError(message)
}

impl Field {
    fn variable(&self) -> String {
        let dot = if self.section.is_empty() { "" } else { "_" };
        format!("ANSER_{}{dot}{}", self.section, self.key).to_uppercase()
    }

    fn default(&self) -> toml::Value {
        let all = toml::Value::try_from(Config::default()).expect("settings are TOML");
        let section = match self.section {
            "" => &all,
            section => &all[section],
        };
        section[self.key].clone()
    }

    /// A variable's text as the type that the setting has.
    fn parse(&self, text: &str) -> Result<toml::Value, &'static str> {
        match self.default() {
            toml::Value::Integer(_) => text
                .parse()
                .map(toml::Value::Integer)
                .map_err(|_| "is not an integer"),
            toml::Value::Boolean(_) => text
                .parse()
                .map(toml::Value::Boolean)
                .map_err(|_| "is neither true nor false"),
            _ => Ok(toml::Value::String(text.to_owned())),
        }
    }

    fn put(&self, table: &mut toml::Table, value: toml::Value) {
        let into = match self.section {
            "" => Some(table),
            section => table
                .entry(section)
                .or_insert_with(|| toml::Table::new().into())
                .as_table_mut(),
        };
        // The file was read as a `Config`, so a section is a table.
        into.expect("a section is a table")
            .insert(self.key.to_owned(), value);
    }

    fn about(&self) -> String {
        join(self.about)
    }
}

fn join(lines: &[&str]) -> String {
    let lines: Vec<&str> = lines.iter().map(|line| line.trim()).collect();
    lines.join(" ")
}

/// A file with every setting at its default, and what it means.
#[must_use]
pub fn sample() -> String {
    let mut out = String::from(
        "# Every setting of the server, at its default. Generated by `anser config sample`.\n\
         # Each can also be set in the environment, as its name in capitals: ANSER_LISTEN,\n\
         # ANSER_API_TIMEOUT_SECONDS. Unknown names are refused.\n",
    );
    let mut section = "";
    for field in FIELDS {
        if field.section != section {
            section = field.section;
            let about = SECTIONS.iter().find(|(name, _)| *name == section);
            out.push('\n');
            for line in about.map_or(&[][..], |(_, about)| about) {
                let _ = writeln!(out, "#{line}");
            }
            let _ = writeln!(out, "[{section}]");
        }
        out.push('\n');
        for line in field.about {
            let _ = writeln!(out, "#{line}");
        }
        let _ = writeln!(out, "#{} = {}", field.key, field.default());
    }
    out
}

/// The reference as a page of Markdown.
#[must_use]
pub fn reference() -> String {
    let mut out = String::from(
        "<!-- Generated from crates/server/src/config.rs by `cargo run -p anser-xtask -- generate`. -->\n\
         # Configuration\n\n\
         The server needs none. What can be set comes from, in rising order: the default, a TOML file \
         (`--config`, or `ANSER_CONFIG`, or `anser.toml` in the working directory), the environment, a \
         flag of `anser serve`. Unknown names are refused, in the file and in the environment. \
         `anser config check` reads everything as the server would; `anser config sample` prints a \
         file with every setting ([anser.sample.toml](../anser.sample.toml)).\n",
    );
    let mut section = None;
    for field in FIELDS {
        if section != Some(field.section) {
            section = Some(field.section);
            match SECTIONS.iter().find(|(name, _)| *name == field.section) {
                Some((name, about)) => {
                    let _ = write!(out, "\n## `[{name}]`\n\n{}\n", join(about));
                }
                None => out.push_str("\n## At the top of the file\n"),
            }
            out.push_str("\n| Key | Environment | Default | Meaning |\n|---|---|---|---|\n");
        }
        let _ = writeln!(
            out,
            "| `{}` | `{}` | `{}` | {} |",
            field.key,
            field.variable(),
            field.default(),
            field.about()
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.toml");
        std::fs::write(&path, file).unwrap();
        let environment = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load(Some(&path), environment, Vec::new()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_environment_is_above_the_file_and_flags_above_both() {
        let file = "listen = \"127.0.0.1:1\"\n[api]\ntimeout_seconds = 5\n";
        let config = load(file, &[("ANSER_API_TIMEOUT_SECONDS", "7"), ("HOME", "/")]).unwrap();
        assert_eq!(config.api.timeout_seconds, 7);
        assert_eq!(config.listen, "127.0.0.1:1");
        let flags = vec![("", "listen", "127.0.0.1:2".into())];
        let environment = [("ANSER_LISTEN".to_owned(), "127.0.0.1:3".to_owned())];
        let config = Config::load(None, environment, flags).unwrap();
        assert_eq!(config.listen, "127.0.0.1:2");
    }

    #[test]
    fn names_that_mean_nothing_are_refused() {
        let check = |file: &str, environment: &[(&str, &str)], part: &str| {
            let message = load(file, environment).unwrap_err();
            assert!(message.contains(part), "{message}");
        };
        check("lisen = \"x\"\n", &[], "unknown field `lisen`");
        check("[api]\n\ntimeout = 1\n", &[], "line 3");
        check("[apis]\n", &[], "unknown field `apis`");
        check("", &[("ANSER_LISEN", "x")], "ANSER_LISEN is no setting");
        check(
            "",
            &[("ANSER_DEMO", "yes")],
            "ANSER_DEMO: is neither true nor false",
        );
        check(
            "api = 1\n",
            &[("ANSER_API_TIMEOUT_SECONDS", "1")],
            "invalid type",
        );
    }

    #[test]
    fn values_that_cannot_be_are_refused() {
        for (file, part) in [
            ("listen = \"8080\"", "listen"),
            ("admin_token = \"short\"", "admin_token"),
            ("[tls]\ncert = \"a.pem\"", "tls"),
            ("[log]\nlevel = \"loud=very\"", "log.level"),
            ("[log]\nformat = \"xml\"", "log.format"),
            ("[messages]\ncontent_bytes_max = 131073", "131072"),
            ("[messages]\nlogin_policy = \"all\"", "login_policy"),
            ("[messages]\nrecall_seconds = 315360001", "recall_seconds"),
            ("[messages]\nedit_seconds = 315360001", "edit_seconds"),
            ("[messages]\nclient_messages_burst = 0", "burst"),
            ("[connections]\ndrain_seconds = 601", "drain_seconds"),
            ("[api]\ntimeout_seconds = 0", "timeout_seconds"),
        ] {
            let message = load(file, &[]).unwrap_err();
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn the_sample_is_the_default() {
        let uncommented: String = sample()
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(rest) if !rest.starts_with(' ') => rest,
                _ => line,
            })
            .fold(String::new(), |all, line| all + line + "\n");
        let config: Config = toml::from_str(&uncommented).unwrap();
        assert_eq!(
            toml::Value::try_from(config).unwrap(),
            toml::Value::try_from(Config::default()).unwrap()
        );
    }

    #[test]
    fn the_admin_token_does_not_show() {
        let secret = "0123456789abcdef0123456789abcdef";
        let config = load(&format!("admin_token = \"{secret}\""), &[]).unwrap();
        assert_eq!(config.admin_token.reveal(), secret);
        assert!(!format!("{config:?}").contains(secret));
        assert!(!toml::to_string(&config).unwrap().contains(secret));
    }
}
