//! Every route with what it needs and how it is counted: the one place that says who may do what.
//!
//! What has no line here is not answered, whoever asks.

use poem::http::Method;

use crate::domain::role::Right;

/// How requests are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    /// Not at all.
    Free,
    /// As a look.
    Read,
    /// As a change.
    Write,
    /// As a search.
    Search,
    /// As an attempt to sign in, by the client's address.
    SignIn,
}

/// A route.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    method: &'static str,
    /// `{…}` is one part of a path, `*` at the end the rest.
    pub(crate) path: &'static str,
    /// `None`: nobody needs to be signed in.
    pub(crate) right: Option<Right>,
    pub(crate) class: Class,
    /// Waits for somebody else, so it may take longer than others.
    pub(crate) is_slow: bool,
}

const fn public(method: &'static str, path: &'static str, class: Class) -> Rule {
    Rule { method, path, right: None, class, is_slow: false }
}

const fn read(path: &'static str, right: Right) -> Rule {
    Rule { method: "GET", path, right: Some(right), class: Class::Read, is_slow: false }
}

const fn search(path: &'static str) -> Rule {
    Rule { method: "GET", path, right: Some(Right::Read), class: Class::Search, is_slow: false }
}

const fn change(method: &'static str, path: &'static str, right: Right) -> Rule {
    Rule { method, path, right: Some(right), class: Class::Write, is_slow: false }
}

const fn slow(rule: Rule) -> Rule {
    Rule { is_slow: true, ..rule }
}

/// All of them. The first one that fits counts.
const RULES: &[Rule] = &[
    public("GET", "/api/v1/health", Class::Free),
    read("/api/v1/openapi.json", Right::Read),
    // Who is there.
    public("GET", "/api/v1/sign-in", Class::Free),
    public("GET", "/login", Class::SignIn),
    public("GET", "/login/callback", Class::SignIn),
    public("POST", "/api/v1/session", Class::SignIn),
    change("DELETE", "/api/v1/session", Right::Own),
    read("/api/v1/me", Right::Own),
    read("/api/v1/sessions", Right::Own),
    change("DELETE", "/api/v1/sessions/{session}", Right::ChangeOwn),
    read("/api/v1/tokens", Right::Own),
    change("POST", "/api/v1/tokens", Right::ChangeOwn),
    change("DELETE", "/api/v1/tokens/{token}", Right::ChangeOwn),
    read("/api/v1/users", Right::Inspect),
    read("/api/v1/users/{user}", Right::Inspect),
    change("PATCH", "/api/v1/users/{user}", Right::Administer),
    read("/api/v1/audit", Right::Audit),
    // What the installation works on.
    read("/api/v1/repositories", Right::Read),
    change("POST", "/api/v1/repositories", Right::Write),
    // A cloner has a minute to answer.
    slow(change("POST", "/api/v1/repositories/test-connection", Right::Write)),
    read("/api/v1/repositories/{repository}", Right::Read),
    change("DELETE", "/api/v1/repositories/{repository}", Right::Maintain),
    read("/api/v1/repositories/{repository}/overview", Right::Read),
    read("/api/v1/repositories/{repository}/tree", Right::Read),
    read("/api/v1/repositories/{repository}/blob", Right::Read),
    read("/api/v1/repositories/{repository}/webhooks", Right::Maintain),
    change("POST", "/api/v1/repositories/{repository}/webhooks", Right::Maintain),
    change("POST", "/api/v1/repositories/{repository}/webhooks/{webhook}/secret", Right::Maintain),
    change("DELETE", "/api/v1/repositories/{repository}/webhooks/{webhook}", Right::Maintain),
    public("POST", "/hooks/{webhook}", Class::Read),
    read("/api/v1/credentials", Right::Maintain),
    change("POST", "/api/v1/credentials", Right::Maintain),
    change("PUT", "/api/v1/credentials/{credential}", Right::Maintain),
    change("DELETE", "/api/v1/credentials/{credential}", Right::Maintain),
    // Runs and what they write.
    read("/api/v1/repositories/{repository}/runs", Right::Read),
    change("POST", "/api/v1/repositories/{repository}/runs", Right::Write),
    read("/api/v1/runs", Right::Read),
    read("/api/v1/runs/{run}", Right::Read),
    read("/api/v1/runs/{run}/tasks", Right::Read),
    change("POST", "/api/v1/runs/{run}/retry", Right::Write),
    change("POST", "/api/v1/runs/{run}/cancel", Right::Write),
    read("/api/v1/runs/{run}/events", Right::Read),
    read("/api/v1/repositories/{repository}/documents", Right::Read),
    read("/api/v1/documents/{document}", Right::Read),
    read("/api/v1/documents/{document}/pages/{slug}", Right::Read),
    read("/api/v1/documents/{document}/pages/sources/*", Right::Read),
    read("/api/v1/documents/{document}/diagrams/{file}", Right::Read),
    // Prompts.
    read("/api/v1/prompts", Right::Read),
    change("POST", "/api/v1/prompts", Right::Write),
    read("/api/v1/prompts/{template}", Right::Read),
    change("POST", "/api/v1/prompts/preview", Right::Write),
    read("/api/v1/prompts/{template}/versions", Right::Read),
    change("POST", "/api/v1/prompts/{template}/versions", Right::Write),
    read("/api/v1/prompts/{template}/versions/{number}", Right::Read),
    search("/api/v1/search"),
    // What waits on the broker.
    read("/api/v1/admin/queues", Right::Inspect),
    read("/api/v1/admin/dead-letters", Right::Inspect),
    read("/api/v1/admin/dead-letters/{letter}", Right::Inspect),
    change("POST", "/api/v1/admin/dead-letters/{letter}/redeliver", Right::Administer),
    change("DELETE", "/api/v1/admin/dead-letters/{letter}", Right::Administer),
    // The older system's calls.
    read("/api/repos", Right::Read),
    change("POST", "/api/repos", Right::Write),
    read("/api/repos/{repository}", Right::Read),
];

/// Method and path of each.
pub(crate) fn routes() -> Vec<(&'static str, &'static str)> {
    RULES.iter().map(|rule| (rule.method, rule.path)).collect()
}

/// What nobody needs to be signed in for besides: the files of the application.
const APPLICATION: &[Rule] = &[public("GET", "/*", Class::Free), public("HEAD", "/*", Class::Free)];

/// Paths of programs. Anything else is for browsers.
const PROGRAMS: &[&str] = &["/api", "/hooks", "/login"];

/// Whether a path is one of the interface's, and no file of the application.
pub(crate) fn is_for_programs(path: &str) -> bool {
    PROGRAMS.iter().any(|prefix| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

fn rules(path: &str) -> &'static [Rule] {
    if is_for_programs(path) { RULES } else { APPLICATION }
}

/// The rule of a request, if there is such a route.
pub(crate) fn rule(method: &Method, path: &str) -> Option<Rule> {
    let fitting = rules(path).iter().filter(|rule| fits(rule.path, path));
    fitting.copied().find(|rule| rule.method == method.as_str())
}

/// The methods that a path answers, for `Allow`; empty if nothing is there.
pub(crate) fn allowed(path: &str) -> String {
    // A word of the template's own goes before a parameter: `/prompts/preview` is no template's identifier.
    let fitting: Vec<&Rule> = rules(path).iter().filter(|rule| fits(rule.path, path)).collect();
    let own = |rule: &Rule| rule.path.split('/').filter(|part| !part.starts_with(['{', ':', '*'])).count();
    let most = fitting.iter().map(|rule| own(rule)).max();
    let nearest = fitting.iter().filter(|rule| Some(own(rule)) == most);
    let mut methods: Vec<&str> = nearest.map(|rule| rule.method).collect();
    methods.sort_unstable();
    methods.dedup();
    methods.join(", ")
}

/// Whether a path is one of a template's. A `/` at its end does not matter.
fn fits(template: &str, path: &str) -> bool {
    if let Some(start) = template.strip_suffix('*') {
        let start: Vec<&str> = start.trim_end_matches('/').split('/').collect();
        let given: Vec<&str> = path.split('/').collect();
        return given.len() > start.len() && start.iter().zip(&given).all(|(part, word)| part_fits(part, word));
    }
    let path = if path.len() > 1 { path.trim_end_matches('/') } else { path };
    let (mut parts, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (parts.next(), given.next()) {
            (None, None) => return true,
            (Some(part), Some(word)) if part_fits(part, word) => {}
            _ => return false,
        }
    }
}

fn part_fits(part: &str, word: &str) -> bool {
    part == word || (part.starts_with('{') && !word.is_empty())
}

#[cfg(test)]
mod tests {
    use poem::http::Method;

    use super::{Class, allowed, fits, is_for_programs, rule};
    use crate::domain::role::Right;

    #[test]
    fn paths_fit_templates() {
        for (template, path, expected) in [
            ("/a/{b}", "/a/x", true),
            ("/a/{b}", "/a/x/", true),
            ("/a/{b}/c", "/a/x/c", true),
            ("/a/{b}", "/a", false),
            ("/a/{b}", "/a/", false),
            ("/a/{b}", "/a/x/y", false),
            ("/a/b", "/a/c", false),
            ("/a/{b}/*", "/a/x/y/z", true),
            ("/a/{b}/*", "/a/x", false),
            ("/*", "/", true),
            ("/*", "/index.html", true),
        ] {
            assert_eq!(fits(template, path), expected, "{template} {path}");
        }
    }

    #[test]
    fn what_has_no_line_is_not_there() {
        assert!(rule(&Method::GET, "/api/v1/nothing").is_none());
        assert!(rule(&Method::POST, "/api/v1/health").is_none());
        assert!(rule(&Method::POST, "/index.html").is_none());
        assert!(rule(&Method::GET, "/api").is_none(), "no file of the application");
        assert!(rule(&Method::GET, "/apistery").is_some_and(|rule| rule.right.is_none()));
        assert!(!is_for_programs("/apistery") && is_for_programs("/api/x") && is_for_programs("/login"));
        assert_eq!(allowed("/api/v1/repositories"), "GET, POST");
        let found = rule(&Method::DELETE, "/api/v1/repositories/7").unwrap();
        assert_eq!((found.right, found.class), (Some(Right::Maintain), Class::Write));
    }
}
