//! The shapes of secrets: tokens that carry their maker's mark, and values that are named a secret.

use std::sync::LazyLock;

use regex::Regex;

use crate::redact::Span;

/// One shape. Word boundaries are those of ASCII, which keeps the fast matcher on text of all
/// languages. A mark that occurs nowhere else is found even inside a word: what stands before it may
/// be an accident of quoting.
struct Rule {
    name: &'static str,
    /// The first group is the secret, or the whole match if there is none.
    pattern: &'static str,
    /// What the secret itself must look like beyond the pattern.
    accept: fn(&str) -> bool,
}

const RULES: [Rule; 22] = [
    Rule { name: "aws-access-key", pattern: r"(?-u:\b)(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?-u:\b)", accept: any },
    Rule { name: "github-token", pattern: r"(?:gh[oprsu]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{22,})", accept: any },
    Rule {
        name: "gitlab-token",
        pattern: r"gl(?:pat|ptt|dt|rt|cbt|oas|soat|ft|imt|agent)-[A-Za-z0-9_-]{20,}",
        accept: any,
    },
    Rule { name: "slack-token", pattern: r"(?-u:\b)(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{10,}", accept: has_digit },
    Rule {
        name: "slack-webhook",
        pattern: r"hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9+/]{20,})",
        accept: has_digit,
    },
    Rule { name: "anthropic-key", pattern: r"sk-ant-[A-Za-z0-9_-]{16,}", accept: any },
    Rule {
        name: "openai-key",
        pattern: r"(?-u:\b)sk-(?:(?:proj|svcacct|admin)-[A-Za-z0-9_-]{20,}|[A-Za-z0-9]{40,})",
        accept: any,
    },
    Rule { name: "google-api-key", pattern: r"AIza[A-Za-z0-9_-]{35}", accept: any },
    Rule { name: "google-oauth", pattern: r"(?:GOCSPX-[A-Za-z0-9_-]{28}|ya29\.[A-Za-z0-9_-]{30,})", accept: any },
    Rule { name: "stripe-key", pattern: r"(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}", accept: any },
    Rule { name: "npm-token", pattern: r"npm_[A-Za-z0-9]{36}", accept: any },
    Rule { name: "pypi-token", pattern: r"pypi-AgE[A-Za-z0-9_-]{50,}", accept: any },
    Rule { name: "crates-token", pattern: r"(?-u:\b)cio[A-Za-z0-9]{32}(?-u:\b)", accept: has_digit },
    Rule { name: "huggingface-token", pattern: r"(?-u:\b)hf_[A-Za-z]{34}(?-u:\b)", accept: any },
    Rule { name: "digitalocean-token", pattern: r"do[opr]_v1_[a-f0-9]{64}", accept: any },
    Rule { name: "sendgrid-key", pattern: r"(?-u:\b)SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{30,}", accept: any },
    Rule {
        name: "azure-storage-key",
        pattern: r"(?i)(?-u:\b)AccountKey\s*=\s*([A-Za-z0-9+/]{80,}={0,2})",
        accept: any,
    },
    Rule { name: "jwt", pattern: r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}", accept: any },
    Rule {
        name: "url-password",
        pattern: r#"(?-u:\b)[A-Za-z][A-Za-z0-9+.-]*://[^\s:/@'"<>{}$]{0,64}:([^\s:/@'"]{3,200})@"#,
        accept: is_no_placeholder,
    },
    Rule {
        name: "authorization",
        pattern: r#"(?i)(?-u:\b)(?:authorization|x-api-key|private-token)['"]?\s*(?::\s*['"]?|[=,]\s*['"])(?:(?:bearer|basic|token)\s+)?([A-Za-z0-9+/=_.~-]{16,})"#,
        accept: is_random,
    },
    // `password = "…"` in every language: the name, perhaps more of it, a type, a sign, quotes.
    Rule {
        name: "assigned-secret",
        pattern: r#"(?i)(?:passw(?:or)?d|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?)[A-Za-z0-9_.-]{0,40}(?:['"\]]{1,2})?\s*(?::\s*[A-Za-z&' ]{1,20}=|:=|=>|=|:)\s*[A-Za-z]{0,2}["'`]([^"'`\s]{7,300})["'`]"#,
        accept: is_secret_like,
    },
    // `DB_PASSWORD=…` without quotes, as in shell and environment files.
    Rule {
        name: "environment-secret",
        pattern: r#"(?m)^[ \t-]*(?:export[ \t]+|ENV[ \t]+)?[A-Z0-9_]*(?:PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|ACCESS_KEY|PRIVATE_KEY)[A-Z0-9_]*[ \t]*[=:][ \t]*([^\s"'`#;,(){}$<>]{7,300})[ \t]*$"#,
        accept: is_secret_like,
    },
];

static COMPILED: LazyLock<Vec<(&'static Rule, Regex)>> = LazyLock::new(|| {
    RULES
        .iter()
        .map(|rule| {
            let regex =
                Regex::new(rule.pattern).expect("invariant: the built-in patterns are valid, a test compiles them all");
            (rule, regex)
        })
        .collect()
});

/// Adds the places where a rule finds a secret.
pub(crate) fn find(text: &str, spans: &mut Vec<Span>) {
    for (rule, regex) in COMPILED.iter() {
        for captures in regex.captures_iter(text) {
            let secret = captures.get(1).or_else(|| captures.get(0));
            if let Some(secret) = secret.filter(|secret| (rule.accept)(secret.as_str())) {
                spans.push(Span { start: secret.start(), end: secret.end(), rule: rule.name });
            }
        }
    }
}

fn any(_secret: &str) -> bool {
    true
}

fn has_digit(secret: &str) -> bool {
    secret.bytes().any(|byte| byte.is_ascii_digit())
}

/// A longer value is no placeholder, even if chance wrote one of the words below into it.
const MAX_PLACEHOLDER_BYTES: usize = 32;
/// Words that stand for a secret and are none.
const PLACEHOLDERS: [&str; 22] = [
    "password",
    "passwd",
    "secret",
    "token",
    "example",
    "changeme",
    "change_me",
    "change-me",
    "placeholder",
    "your",
    "dummy",
    "sample",
    "redacted",
    "todo",
    "none",
    "null",
    "undefined",
    "string",
    "insert",
    "xxxx",
    "***",
    "...",
];

fn is_no_placeholder(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    let is_template = value.contains("${")
        || value.contains("{{")
        || value.starts_with(['$', '<', '{', '%', '['])
        || value.contains("redacted:");
    let is_stand_in = value.len() <= MAX_PLACEHOLDER_BYTES && PLACEHOLDERS.iter().any(|word| lower.contains(word));
    !is_template && !is_stand_in
}

/// A random string: enough different characters, digits among letters, no constant's name.
fn is_random(value: &str) -> bool {
    is_no_placeholder(value)
        && has_digit(value)
        && value.bytes().any(|byte| byte.is_ascii_lowercase())
        && entropy(value) >= 3.0
}

/// The value of something that is called a secret: random, or at least no ordinary word, name or
/// path. `hunter2` counts, `access_token`, `Bearer` and `config.token.value` do not.
fn is_secret_like(value: &str) -> bool {
    if !is_no_placeholder(value) || value.contains("://") {
        return false;
    }
    let letters = value.bytes().filter(u8::is_ascii_alphabetic).count();
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let unusual = value.bytes().filter(|byte| !byte.is_ascii_alphanumeric() && !b"_-./: ".contains(byte)).count();
    // A password: letters with digits or signs that no identifier has. Numbers alone are sizes,
    // times and ports.
    letters > 0 && (digits > 0 || unusual > 0) && entropy(value) >= 2.5
}

/// Shannon's entropy of the bytes, in bits for each.
fn entropy(value: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in value.bytes() {
        counts[usize::from(byte)] += 1;
    }
    let length = value.len() as f64;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count) / length)
        .map(|share| -share * share.log2())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rules that find something, with what they find.
    fn found(text: &str) -> Vec<(&'static str, &str)> {
        let mut spans = Vec::new();
        find(text, &mut spans);
        spans.iter().map(|span| (span.rule, &text[span.start..span.end])).collect()
    }

    /// A string of the given length without any pattern; secrets of tests are made, not written,
    /// so that scanners of this repository have nothing to find.
    fn random(length: usize) -> String {
        "a8Kx2Qz7Lm4Vn9Rt3Wp6Yb1Hc5Jd0Fg".chars().cycle().take(length).collect()
    }

    #[test]
    fn names_are_short_and_distinct() {
        let mut names: Vec<_> = COMPILED.iter().map(|(rule, _)| rule.name).collect();
        assert!(names.iter().all(|name| name.len() <= 20));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), RULES.len());
    }

    #[test]
    fn tokens_are_known_by_their_marks() {
        let upper = random(16).to_ascii_uppercase();
        let hex = "0123456789abcdef".repeat(4);
        let letters: String = ('a'..='z').chain('A'..='Z').take(34).collect();
        let cases = [
            ("aws-access-key", format!("AKIA{upper}")),
            ("github-token", format!("ghp_{}", random(36))),
            ("github-token", format!("github_pat_{}_{}", random(22), random(59))),
            ("gitlab-token", format!("glpat-{}", random(20))),
            ("slack-token", format!("xoxb-{}-{}", random(12), random(24))),
            ("anthropic-key", format!("sk-ant-api03-{}", random(80))),
            ("openai-key", format!("sk-proj-{}", random(48))),
            ("openai-key", format!("sk-{}", random(48))),
            ("google-api-key", format!("AIza{}", random(35))),
            ("google-oauth", format!("GOCSPX-{}", random(28))),
            ("stripe-key", format!("sk_live_{}", random(24))),
            ("npm-token", format!("npm_{}", random(36))),
            ("pypi-token", format!("pypi-AgE{}", random(60))),
            ("crates-token", format!("cio{}", random(32))),
            ("huggingface-token", format!("hf_{letters}")),
            ("digitalocean-token", format!("dop_v1_{hex}")),
            ("sendgrid-key", format!("SG.{}.{}", random(22), random(43))),
            ("jwt", format!("eyJ{}.eyJ{}.{}", random(20), random(40), random(43))),
        ];
        for (rule, token) in &cases {
            let text = format!("x = f({token}) // y");
            assert_eq!(found(&text), [(*rule, token.as_str())], "{rule}");
        }
    }

    #[test]
    fn secrets_are_known_by_their_surroundings() {
        let value = random(24);
        let long = random(88);
        let cases = [
            ("slack-webhook", "https://hooks.slack.com/services/", value.as_str(), ""),
            ("azure-storage-key", "AccountName=a;AccountKey=", &long, ";"),
            ("url-password", "postgres://admin:", "hunter2", "@db:5432/x"),
            ("authorization", "Authorization: Bearer ", &value, ""),
            ("authorization", "headers = {\"X-Api-Key\": \"", &value, "\"}"),
            ("authorization", "req.setHeader('Authorization', 'Basic ", &value, "');"),
            ("assigned-secret", "password = \"", "hunter2", "\""),
            ("assigned-secret", "\"db_password\": \"", "pa$$w0rd!", "\""),
            ("assigned-secret", "const API_KEY: &str = \"", &value, "\";"),
            ("assigned-secret", "self.client_secret = '", &value, "'"),
            ("assigned-secret", "secretKey := `", &value, "`"),
            ("assigned-secret", "config['token'] = '", &value, "'"),
            ("environment-secret", "DB_PASSWORD=", "hunter2", "\n"),
            ("environment-secret", "export AWS_SECRET_ACCESS_KEY=", &value, ""),
            ("environment-secret", "  - GITHUB_TOKEN: ", &value, ""),
        ];
        for (rule, before, secret, after) in &cases {
            let text = format!("first\n{before}{secret}{after}");
            let found = found(&text);
            assert_eq!(found.first(), Some(&(*rule, *secret)), "{rule}");
            assert!(found.iter().all(|(_, taken)| taken == secret), "{rule}: {found:?}");
        }
    }

    #[test]
    fn code_about_secrets_is_left_alone() {
        let texts = [
            "let token = parser.next_token();",
            "token_type: \"access_token\"",
            "password: \"Password\"",
            "password = os.environ[\"DB_PASSWORD\"]",
            "secretName: \"my-app-credentials\"",
            "password = \"${DB_PASSWORD}\"",
            "API_KEY=<your-key-here>",
            "TOKEN_LIMIT = 4096000",
            "PASSWORD=changeme123",
            "https://user:password@example.com/",
            "https://example.com:8080/@user",
            "Authorization: Bearer <token>",
            "\"token\": \"identifier\"",
            "class=\"sk-button-container-wrapper-with-long-name\"",
            "fn password(&self) -> &str { \"field\" }",
            "secret: \"<redacted:assigned-secret:00000001>\"",
            "d41d8cd98f00b204e9800998ecf8427e",
            "authorization: PRESENCE_KIND_0_OR_1,",
            "authorization = base64.decodebytes(authorization)",
            "if kind == Token::String { \"a1b2c3\" }",
        ];
        for text in texts {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
