//! Which URLs are the same page, beyond what the URL standard says: rules that hold for the hosts they name.
//!
//! Nothing of this is true of the web at large, so without rules nothing changes. A URL becomes the one that stands
//! for all that are the same, which is then asked for: a rule that is wrong for its site loses pages.

use std::borrow::Cow;

use regex::Regex;
use serde::{Deserialize, Serialize};
use url::{Url, form_urlencoded};

use crate::parts::without_www;

/// Longest host name or name of a parameter in a rule, in bytes.
const MAX_PATTERN_BYTES: usize = 1024;

/// File names that a server answers a directory with.
const INDEX_FILES: &[&str] = &[
    "index.html",
    "index.htm",
    "index.shtml",
    "index.xhtml",
    "index.php",
    "index.asp",
    "index.aspx",
    "index.jsp",
    "index.cgi",
    "default.html",
    "default.htm",
    "default.asp",
    "default.aspx",
];

/// A rule about what is the same page on the hosts that it names. Keys that are left out are as earlier rules for the
/// host have them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SamePage {
    /// A host name; `*` stands for any text, so `*.example.com` means every host below `example.com`. A name is for
    /// the host with and without `www.`.
    pub r#match: String,
    /// Names of parameters that say nothing about the page; `*` stands for any text (`utm_*`), alone it drops all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drop_parameters: Option<Vec<String>>,
    /// Whether the order of the parameters says nothing: they are sorted by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sort_parameters: Option<bool>,
    /// Whether `/a/index.html` is `/a/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drop_index: Option<bool>,
    /// Whether `www.example.com` is `example.com`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fold_www: Option<bool>,
    /// Whether `http` is `https`. A URL with a port stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub https: Option<bool>,
    /// Whether `/a` is `/a/`, and which of them is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trailing_slash: Option<Slash>,
    /// Whether a page counts as the one that it names by `rel=canonical`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canonical: Option<bool>,
}

/// The slash at the end of a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Slash {
    /// It stays as it is: `/a` and `/a/` are two pages.
    #[default]
    Keep,
    /// `/a` becomes `/a/`, unless its last segment has a dot in it as files do.
    Add,
    /// `/a/` becomes `/a`; `/` stays.
    Drop,
}

/// The rules for all hosts, compiled. The default has none.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    rules: Vec<Compiled>,
}

#[derive(Clone, Debug)]
struct Compiled {
    hosts: Regex,
    dropped: Option<Vec<Regex>>,
    rule: SamePage,
}

/// The sum of all rules for one host.
#[derive(Default)]
struct ForHost<'r> {
    dropped: Option<&'r Vec<Regex>>,
    sort_parameters: bool,
    drop_index: bool,
    fold_www: bool,
    https: bool,
    trailing_slash: Slash,
}

/// A rule that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("same-page rule for {host:.60?}: a name of {bytes} bytes; the limit is {MAX_PATTERN_BYTES}")]
pub struct BadRule {
    /// The `match` of the rule.
    pub host: String,
    /// How long the name is.
    pub bytes: usize,
}

impl Identity {
    /// Compiles `rules`; of several for a host, the later wins, key by key.
    ///
    /// # Errors
    /// [`BadRule`] for names of absurd length.
    pub fn new(rules: Vec<SamePage>) -> Result<Self, BadRule> {
        let compile = |rule: SamePage| {
            let bad = |name: &str| BadRule { host: rule.r#match.clone(), bytes: name.len() };
            let hosts = glob(rule.r#match.trim()).ok_or_else(|| bad(&rule.r#match))?;
            let glob_of = |name: &String| glob(name).ok_or_else(|| bad(name));
            let names = rule.drop_parameters.as_ref().map(|names| names.iter().map(glob_of).collect());
            Ok(Compiled { hosts, dropped: names.transpose()?, rule })
        };
        rules.into_iter().map(compile).collect::<Result<_, _>>().map(|rules| Self { rules })
    }

    /// The URL that stands for all that are the same page as `url`, which is http(s) and has no fragment.
    pub fn apply<'u>(&self, url: &'u Url) -> Cow<'u, Url> {
        match self.for_host(url.host_str().unwrap_or_default()) {
            Some(rules) => rules.apply(url),
            None => Cow::Borrowed(url),
        }
    }

    /// Whether there are rules by which a URL of `host` may become another.
    pub fn is_for(&self, host: &str) -> bool {
        self.rules.iter().any(|rule| rule.rewrites() && rule.is_for(host))
    }

    /// Whether pages of `host` count as what they name by `rel=canonical`.
    pub fn has_canonicals(&self, host: &str) -> bool {
        let mut of_host = self.rules.iter().rev().filter(|rule| rule.rule.canonical.is_some() && rule.is_for(host));
        of_host.next().and_then(|rule| rule.rule.canonical).unwrap_or(false)
    }

    fn for_host(&self, host: &str) -> Option<ForHost<'_>> {
        let mut sum: Option<ForHost<'_>> = None;
        for Compiled { dropped, rule, .. } in self.rules.iter().filter(|rule| rule.is_for(host)) {
            let sum = sum.get_or_insert_default();
            sum.dropped = dropped.as_ref().or(sum.dropped);
            sum.sort_parameters = rule.sort_parameters.unwrap_or(sum.sort_parameters);
            sum.drop_index = rule.drop_index.unwrap_or(sum.drop_index);
            sum.fold_www = rule.fold_www.unwrap_or(sum.fold_www);
            sum.https = rule.https.unwrap_or(sum.https);
            sum.trailing_slash = rule.trailing_slash.unwrap_or(sum.trailing_slash);
        }
        sum
    }
}

impl Compiled {
    /// Whether it says anything of URLs.
    fn rewrites(&self) -> bool {
        let SamePage {
            r#match: _,
            drop_parameters,
            sort_parameters,
            drop_index,
            fold_www,
            https,
            trailing_slash,
            canonical: _,
        } = &self.rule;
        let switches = [sort_parameters, drop_index, fold_www, https];
        drop_parameters.is_some() || trailing_slash.is_some() || switches.into_iter().any(Option::is_some)
    }

    fn is_for(&self, host: &str) -> bool {
        self.hosts.is_match(host) || self.hosts.is_match(without_www(host))
    }
}

impl ForHost<'_> {
    fn apply<'u>(&self, url: &'u Url) -> Cow<'u, Url> {
        let mut same = Cow::Borrowed(url);
        if self.https && url.scheme() == "http" && url.port().is_none() && same.to_mut().set_scheme("https").is_err() {
            return Cow::Borrowed(url);
        }
        if self.fold_www
            && let Some(host) = url.host_str()
            && without_www(host).len() < host.len()
            && same.to_mut().set_host(Some(without_www(host))).is_err()
        {
            return Cow::Borrowed(url);
        }
        if let Some(path) = self.path(url.path()) {
            same.to_mut().set_path(&path);
        }
        if let Some(query) = url.query()
            && let Some(changed) = self.query(query)
        {
            same.to_mut().set_query(changed.as_deref());
        }
        same
    }

    /// The path that stands for `path`, if it is another.
    fn path(&self, path: &str) -> Option<String> {
        let mut same = self.shortened(path)?;
        // `/a/index.html/index.html` without its last slash ends in an index file again.
        while let Some(shorter) = self.shortened(&same) {
            same = shorter;
        }
        Some(same)
    }

    fn shortened(&self, path: &str) -> Option<String> {
        let (directory, file) = path.rsplit_once('/')?;
        let is_index = self.drop_index && INDEX_FILES.iter().any(|index| file.eq_ignore_ascii_case(index));
        let file = if is_index { "" } else { file };
        let same = match self.trailing_slash {
            Slash::Add if !file.is_empty() && !file.contains('.') => format!("{directory}/{file}/"),
            Slash::Drop if file.is_empty() => match directory.trim_end_matches('/') {
                "" => "/".to_owned(),
                directory => directory.to_owned(),
            },
            _ if is_index => format!("{directory}/"),
            _ => return None,
        };
        (same != path).then_some(same)
    }

    fn drops(&self, name: &str) -> bool {
        self.dropped.is_some_and(|globs| globs.iter().any(|glob| glob.is_match(name)))
    }

    /// The query that stands for `query`, if it is another; the inner `None` is for no query at all.
    fn query(&self, query: &str) -> Option<Option<String>> {
        if self.dropped.is_none() && !self.sort_parameters {
            return None;
        }
        let is_kept = |piece: &&str| !piece.is_empty() && !self.drops(&name(piece));
        let mut pieces: Vec<_> = query.split('&').filter(is_kept).collect();
        if self.sort_parameters {
            // Values of one name keep their order: it may matter, as in `sort=price&sort=name`.
            pieces.sort_by(|a, b| name(a).cmp(&name(b)));
        }
        let same = pieces.join("&");
        if same.is_empty() { Some(None) } else { (same != query).then_some(Some(same)) }
    }
}

/// The name of a parameter without its escapes.
fn name(piece: &str) -> Cow<'_, str> {
    let name = piece.split('=').next().unwrap_or(piece);
    form_urlencoded::parse(name.as_bytes()).next().map_or(Cow::Borrowed(""), |(name, _)| name)
}

/// The compiled form of `pattern`, in which `*` stands for any text; case does not count. None if it is too long.
fn glob(pattern: &str) -> Option<Regex> {
    let pieces: Vec<_> = pattern.split('*').map(regex::escape).collect();
    let is_short = pattern.len() <= MAX_PATTERN_BYTES;
    is_short.then(|| Regex::new(&format!("(?is)^{}$", pieces.join(".*"))).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(host: &str) -> SamePage {
        SamePage { r#match: host.to_owned(), ..SamePage::default() }
    }

    fn dropping(names: &[&str]) -> SamePage {
        SamePage { drop_parameters: Some(names.iter().map(|name| (*name).to_owned()).collect()), ..rule("*") }
    }

    #[track_caller]
    fn check(rules: &[SamePage], pairs: &[(&str, &str)]) {
        let identity = Identity::new(rules.to_vec()).expect("good rules");
        for (url, same) in pairs {
            let parsed = Url::parse(url).expect(url);
            let applied = identity.apply(&parsed);
            assert_eq!(applied.as_str(), *same, "of {url}");
            assert_eq!(identity.apply(&applied).as_str(), *same, "twice, of {url}");
            assert_eq!(matches!(applied, Cow::Borrowed(_)), url == same, "{url} is copied only if it changes");
        }
    }

    #[test]
    fn without_rules_nothing_changes() {
        let url = "http://www.example.org/a/index.html?utm_source=x&b=2&a=1";
        check(&[], &[(url, url)]);
        check(&[rule("*")], &[(url, url)]);
    }

    #[test]
    fn parameters_are_dropped_by_name_and_by_glob() {
        check(
            &[dropping(&["utm_*", "fbclid", "ref"])],
            &[
                ("https://a.test/p?utm_source=x&id=7&utm_medium=y", "https://a.test/p?id=7"),
                ("https://a.test/p?UTM_Source=x&utm%5Fcampaign=y", "https://a.test/p"),
                ("https://a.test/p?fbclid", "https://a.test/p"),
                ("https://a.test/p?fbclid2=1&preference=2", "https://a.test/p?fbclid2=1&preference=2"),
                ("https://a.test/p?id=1&&x=", "https://a.test/p?id=1&x="),
                ("https://a.test/p?", "https://a.test/p"),
            ],
        );
        check(&[dropping(&["*"])], &[("https://a.test/p?a=1&%C3%BC=2", "https://a.test/p")]);
    }

    #[test]
    fn parameters_are_sorted_by_name_alone() {
        check(
            &[SamePage { sort_parameters: Some(true), ..rule("*") }],
            &[
                ("https://a.test/?b=1&a=2&b=0", "https://a.test/?a=2&b=1&b=0"),
                ("https://a.test/?a=2&b=1", "https://a.test/?a=2&b=1"),
            ],
        );
    }

    #[test]
    fn index_files_are_their_directory() {
        check(
            &[SamePage { drop_index: Some(true), ..rule("*") }],
            &[
                ("https://a.test/index.html", "https://a.test/"),
                ("https://a.test/d/Default.aspx?x=1", "https://a.test/d/?x=1"),
                ("https://a.test/d/index.php", "https://a.test/d/"),
                ("https://a.test/d/myindex.html", "https://a.test/d/myindex.html"),
                ("https://a.test/index.html/", "https://a.test/index.html/"),
            ],
        );
    }

    #[test]
    fn slashes_are_added_or_dropped() {
        let slash = |slash| SamePage { trailing_slash: Some(slash), ..rule("*") };
        check(
            &[slash(Slash::Add)],
            &[
                ("https://a.test/d?x", "https://a.test/d/?x"),
                ("https://a.test/d/a.html", "https://a.test/d/a.html"),
                ("https://a.test/", "https://a.test/"),
            ],
        );
        check(
            &[slash(Slash::Drop)],
            &[
                ("https://a.test/d/?x", "https://a.test/d?x"),
                ("https://a.test//d//", "https://a.test//d"),
                ("https://a.test//", "https://a.test/"),
                ("https://a.test/", "https://a.test/"),
            ],
        );
        let both = SamePage { drop_index: Some(true), ..slash(Slash::Drop) };
        check(
            &[both],
            &[
                ("https://a.test/d/index.html", "https://a.test/d"),
                ("https://a.test/d/index.html/index.php", "https://a.test/d"),
                ("https://a.test/index.html", "https://a.test/"),
            ],
        );
    }

    #[test]
    fn www_and_http_are_folded() {
        check(
            &[SamePage { fold_www: Some(true), https: Some(true), ..rule("example.org") }],
            &[
                ("http://www.example.org/a", "https://example.org/a"),
                ("https://example.org/a", "https://example.org/a"),
                ("http://example.org:8080/a", "http://example.org:8080/a"),
                ("http://www.other.org/", "http://www.other.org/"),
                ("http://shop.example.org/", "http://shop.example.org/"),
            ],
        );
    }

    #[test]
    fn the_later_rule_wins_key_by_key() {
        let general = SamePage { https: Some(true), drop_index: Some(true), ..dropping(&["utm_*"]) };
        let shop =
            SamePage { https: Some(false), drop_parameters: Some(vec!["ref".to_owned()]), ..rule("*.shop.test") };
        check(
            &[general, shop],
            &[
                ("http://a.test/index.html?utm_id=1&ref=2", "https://a.test/?ref=2"),
                ("http://de.shop.test/index.html?utm_id=1&ref=2", "http://de.shop.test/?utm_id=1"),
            ],
        );
    }

    #[test]
    fn canonical_urls_count_where_the_last_rule_says_so() {
        let canonical = |host: &str, is_on| SamePage { canonical: Some(is_on), ..rule(host) };
        let rules = vec![canonical("*", true), canonical("*.shop.test", false), dropping(&["x"])];
        let identity = Identity::new(rules).expect("good rules");
        assert!(identity.has_canonicals("a.test") && identity.has_canonicals("www.a.test"));
        assert!(!identity.has_canonicals("de.shop.test"));
        assert!(!Identity::new(vec![dropping(&["x"])]).expect("a good rule").has_canonicals("a.test"));
        let alone = Identity::new(vec![canonical("*", true)]).expect("a good rule");
        assert!(!alone.is_for("a.test"), "no URL becomes another");
    }

    #[test]
    fn absurd_names_are_refused() {
        let long = "a*".repeat(MAX_PATTERN_BYTES / 2);
        assert!(Identity::new(vec![dropping(&[&long])]).is_ok());
        let bad = Identity::new(vec![dropping(&[&format!("{long}b")])]).expect_err("too long");
        assert_eq!(bad.to_string(), "same-page rule for \"*\": a name of 1025 bytes; the limit is 1024");
    }
}
