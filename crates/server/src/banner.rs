//! What a newcomer reads when the server has started.

use std::fmt::Write as _;
use std::path::Path;

/// The language of what is printed for people.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) enum Language {
    English,
    Chinese,
}

impl Language {
    /// Of whoever started this process.
    pub(crate) fn of_environment() -> Self {
        Self::of(|name| std::env::var(name).ok())
    }

    /// By the variables POSIX has for it, the strongest first.
    fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let said = ["LC_ALL", "LC_MESSAGES", "LANG"]
            .into_iter()
            .find_map(|name| variable(name).filter(|value| !value.is_empty()));
        match said {
            Some(value) if value.starts_with("zh") => Self::Chinese,
            _ => Self::English,
        }
    }
}

/// What there is to say.
pub(crate) struct Facts<'a> {
    pub(crate) url: &'a str,
    pub(crate) ws: &'a str,
    pub(crate) tcp: Option<&'a str>,
    pub(crate) data: &'a Path,
    pub(crate) app_key: &'a str,
    /// Only when it was made just now.
    pub(crate) api_secret: Option<&'a str>,
    pub(crate) demo_built: bool,
    /// How this program was called, for commands that work when copied.
    pub(crate) program: &'a str,
}

/// The text, several lines.
pub(crate) fn banner(language: Language, facts: &Facts<'_>) -> String {
    let zh = language == Language::Chinese;
    let pick = |english: &'static str, chinese: &'static str| if zh { chinese } else { english };
    let version = env!("CARGO_PKG_VERSION");
    let mut out = String::new();
    let _ = writeln!(out, "\n  鸿雁 Anser {version}\n");
    let mut line = |english, chinese, value: &str| {
        let name = pick(english, chinese);
        // A Chinese character is as wide as two others.
        let width: usize = name.chars().map(|c| 1 + usize::from(!c.is_ascii())).sum();
        let _ = writeln!(out, "  {name}{} {value}", " ".repeat(15 - width));
    };
    line("Server", "服务地址", facts.url);
    line("WebSocket", "WebSocket", facts.ws);
    if let Some(tcp) = facts.tcp {
        line("TCP", "TCP", tcp);
    }
    line("Data", "数据目录", &facts.data.display().to_string());
    line(
        "Demo",
        "演示页面",
        &match facts.demo_built {
            true => format!("{}/demo/", facts.url),
            false => pick(
                "not in this binary: `make web`, then build again",
                "本程序未包含：运行 make web 后重新编译",
            )
            .to_owned(),
        },
    );
    line("API reference", "接口参考", &format!("{}/docs", facts.url));
    line("App key", "App Key", facts.app_key);
    if let Some(secret) = facts.api_secret {
        line("API secret", "API Secret", secret);
        let (before, after) = match language {
            Language::English => ("The secret is shown this once.", "makes another."),
            Language::Chinese => ("密钥只显示这一次，之后可重新生成：", ""),
        };
        let program = facts.program;
        let _ = writeln!(
            out,
            "\n  {before} `{program} app rotate-secret default` {after}\n",
        );
    } else {
        out.push('\n');
    }
    let secret = facts.api_secret.unwrap_or("$API_SECRET");
    let _ = writeln!(
        out,
        "  {}\n    {program} token alice\n    curl -X POST -u {}:{secret} {}/v1/users/alice/token\n",
        pick(
            "A token for the user alice, either way:",
            "为用户 alice 签发令牌，两种方式任选："
        ),
        facts.app_key,
        facts.url,
        program = facts.program,
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_variable_decides() {
        let language = |pairs: &[(&str, &str)]| {
            Language::of(|name| {
                let pair = pairs.iter().find(|(key, _)| *key == name);
                pair.map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(language(&[("LANG", "zh_CN.UTF-8")]), Language::Chinese);
        assert_eq!(
            language(&[("LC_ALL", "C"), ("LANG", "zh_CN")]),
            Language::English
        );
        assert_eq!(
            language(&[("LC_ALL", ""), ("LANG", "zh_CN")]),
            Language::Chinese
        );
        assert_eq!(language(&[]), Language::English);
    }

    #[test]
    fn the_secret_shows_only_when_it_is_new() {
        let facts = |api_secret| Facts {
            url: "http://127.0.0.1:8080",
            ws: "ws://127.0.0.1:8080/ws",
            tcp: None,
            data: Path::new("./data"),
            app_key: "default",
            api_secret,
            demo_built: true,
            program: "anser",
        };
        for language in [Language::English, Language::Chinese] {
            assert!(banner(language, &facts(Some("s3cret"))).contains("default:s3cret http"));
            let later = banner(language, &facts(None));
            assert!(later.contains("default:$API_SECRET http"));
            assert!(later.contains("http://127.0.0.1:8080/demo/"));
        }
    }
}
