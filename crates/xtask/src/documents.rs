//! Rules about documents: links lead somewhere.

use crate::Findings;
use crate::tree::Tree;

pub(crate) fn check(tree: &Tree) -> Findings {
    let mut findings = Findings::new();
    for name in tree.files(".md") {
        let text = match tree.read(&name) {
            Ok(text) => text,
            Err(error) => {
                findings.push(error);
                continue;
            }
        };
        for target in links(&text) {
            if let Err(why) = resolve(tree, &name, &text, &target) {
                findings.push(format!("{name}: link to {target}: {why}"));
            }
        }
    }
    findings
}

fn resolve(tree: &Tree, name: &str, text: &str, target: &str) -> Result<(), String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return Ok(());
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let other;
    let text = if file.is_empty() {
        text
    } else {
        let dir = name.rsplit_once('/').map_or("", |(dir, _)| dir);
        let path = format!("{dir}/{file}");
        let path = path.trim_start_matches('/');
        if !tree.path(path).exists() {
            return Err("there is no such file".to_owned());
        }
        if !file.ends_with(".md") {
            return Ok(());
        }
        other = tree.read(path)?;
        &other
    };
    if anchor.is_empty() || anchors(text).any(|known| known == anchor) {
        Ok(())
    } else {
        Err("there is no such heading".to_owned())
    }
}

/// Lines outside of fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// The targets of inline links and images.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in prose(text) {
        // What is in backticks is code.
        let plain: String = line.split('`').step_by(2).collect();
        let mut rest = plain.as_str();
        while let Some(at) = rest.find("](") {
            rest = &rest[at + 2..];
            let Some(end) = rest.find(')') else { break };
            let target = rest[..end].split(' ').next().unwrap_or_default();
            found.push(target.to_owned());
        }
    }
    found
}

/// How GitHub and its relatives name headings.
fn anchors(text: &str) -> impl Iterator<Item = String> {
    prose(text)
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let keep = |c: char| match c {
                ' ' => Some('-'),
                c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
                _ => None,
            };
            title.chars().filter_map(keep).collect()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_outside_of_code() {
        let text = "[a](b.md) and `[c](d)` ![e](f.png \"g\")\n```\n[h](i)\n```\n";
        assert_eq!(links(text), ["b.md", "f.png"]);
    }

    #[test]
    fn headings_become_anchors() {
        let found: Vec<String> = anchors("# A b, `c`!\n## 3. 你好 x\n").collect();
        assert_eq!(found, ["a-b-c", "3-你好-x"]);
    }
}
