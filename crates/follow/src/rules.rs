//! One link, judged: what it is the same page as, whether it is wanted, whether it is a trap.

use std::borrow::Cow;

use seine_core::record::{self, BadUrl, CrawlUrl, MAX_URL_BYTES};
use url::Url;

use crate::filter::{Decision, Filter};
use crate::identity::Identity;
use crate::session;
use crate::traps::{Trap, Traps};

/// How often the rules are applied to what they have made of a URL.
const MAX_ROUNDS: usize = 4;

/// All rules about the links of pages. Built once, before processes are made, and shared.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    identity: Identity,
    filter: Filter,
    traps: Traps,
}

/// The fate of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// It is a page to crawl, if it is in scope.
    Follow(CrawlUrl),
    /// It is in a trap: recorded, and not asked for.
    Trap(CrawlUrl, Trap),
    /// `--include` and `--exclude` do not let it in.
    Excluded,
    /// It is no URL that can be crawled.
    Unusable,
}

/// All that is to say about a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The URL that would be asked for, after the rules of what is the same page.
    pub url: CrawlUrl,
    /// Whether it is another than the link.
    pub is_rewritten: bool,
    /// The answer of `--include` and `--exclude`, and which of them gave it.
    pub decision: Decision,
    /// The trap that it is in.
    pub trap: Option<Trap>,
}

impl Rules {
    /// Rules of these parts.
    pub fn new(identity: Identity, filter: Filter, traps: Traps) -> Self {
        Self { identity, filter, traps }
    }

    /// Decides about a link to `url`, an absolute URL.
    pub fn judge(&self, url: &str) -> Judged {
        match self.explain(url) {
            Err(_) => Judged::Unusable,
            Ok(explained) if !explained.decision.admitted => Judged::Excluded,
            Ok(Explained { url, trap: Some(trap), .. }) => Judged::Trap(url, trap),
            Ok(Explained { url, .. }) => Judged::Follow(url),
        }
    }

    /// The URL of an image, script or style sheet to fetch with its page; `None` if `--exclude` leaves it out, or it is none that
    /// can be crawled. `--include` says which pages are wanted, and theirs are wanted with them.
    pub fn judge_asset(&self, url: &str) -> Option<CrawlUrl> {
        let same = self.same_page(url).ok()?;
        let Decision { admitted, rule } = self.filter.decide(same.as_str());
        if admitted || rule.is_none() { CrawlUrl::try_from(same).ok() } else { None }
    }

    /// The same of a URL that has been parsed already, which is most of the work.
    pub fn judge_parsed(&self, url: CrawlUrl) -> Judged {
        let has_ids = || self.traps.has(Trap::SessionId) && session::without_ids(&url.url).is_some();
        if self.identity.is_for(&url.host) || has_ids() {
            return self.judge(&url.url);
        }
        if !self.filter.decide(&url.url).admitted {
            return Judged::Excluded;
        }
        match self.traps.find(&url.url) {
            Some(trap) => Judged::Trap(url, trap),
            None => Judged::Follow(url),
        }
    }

    /// The same, with the reasons.
    ///
    /// # Errors
    /// [`BadUrl`] if it is no URL that can be crawled.
    pub fn explain(&self, url: &str) -> Result<Explained, BadUrl> {
        let same = self.same_page(url)?;
        let is_rewritten = same.as_str() != url;
        let decision = self.filter.decide(same.as_str());
        let trap = if decision.admitted { self.traps.find(same.as_str()) } else { None };
        Ok(Explained { url: CrawlUrl::try_from(same)?, is_rewritten, decision, trap })
    }

    /// The URL that a page of `host` counts as, since it names it as its canonical one; `None` if rules do not let it. That of
    /// another host is believed only if pages of that host name theirs, too.
    pub fn canonical(&self, host: &str, named: &str) -> Option<CrawlUrl> {
        if !self.identity.has_canonicals(host) {
            return None;
        }
        match self.judge(named) {
            Judged::Follow(url) => (url.host == host || self.identity.has_canonicals(&url.host)).then_some(url),
            _ => None,
        }
    }

    /// The `--include` and `--exclude` rules.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// The URL that stands for `url` and all that are the same page: listed URLs are to be seen with it as well.
    ///
    /// # Errors
    /// [`BadUrl`] if it is no URL that can be crawled.
    pub fn same_page(&self, url: &str) -> Result<Url, BadUrl> {
        if url.len() > MAX_URL_BYTES {
            return Err(BadUrl::TooLong(url.len()));
        }
        let mut parsed = Url::parse(url).map_err(BadUrl::Syntax)?;
        record::check(&parsed)?;
        parsed.set_fragment(None);
        // One rule may make another apply: the index file behind a session id. More than a few rounds, nobody needs.
        for _ in 0..MAX_ROUNDS {
            match self.rewritten(&parsed) {
                Some(same) => parsed = same,
                None => break,
            }
        }
        Ok(parsed)
    }

    /// The URL that one round of rules makes of `url`, if it is another.
    fn rewritten(&self, url: &Url) -> Option<Url> {
        let has_ids = self.traps.has(Trap::SessionId);
        let bare = if has_ids { session::without_ids(url.as_str()) } else { None };
        let bare = bare.and_then(|bare| Url::parse(&bare).ok());
        match self.identity.apply(bare.as_ref().unwrap_or(url)) {
            Cow::Owned(same) => Some(same),
            Cow::Borrowed(_) => bare,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::{FilterRule, Verb};
    use crate::identity::SamePage;
    use crate::traps::Month;

    fn rules() -> Rules {
        let same_page = SamePage {
            r#match: "*.test".to_owned(),
            drop_parameters: Some(vec!["utm_*".to_owned()]),
            drop_index: Some(true),
            fold_www: Some(true),
            ..SamePage::default()
        };
        let exclude = FilterRule { verb: Verb::Exclude, pattern: "/private/|utm_".to_owned() };
        Rules::new(
            Identity::new(vec![same_page]).expect("good rules"),
            Filter::new(vec![exclude]).expect("a good pattern"),
            Traps::all(Month::new(2026, 11)),
        )
    }

    #[test]
    fn a_link_is_followed_as_the_page_that_it_is() {
        let followed = |url: &str| match rules().judge(url) {
            Judged::Follow(found) => found.url,
            other => panic!("{url}: {other:?}"),
        };
        assert_eq!(followed("https://www.a.test/x?utm_source=y#z"), "https://a.test/x");
        assert_eq!(followed("http://other.example/x?a=1"), "http://other.example/x?a=1");
        assert_eq!(followed("https://a.test/i.php?PHPSESSID=1&p=2"), "https://a.test/i.php?p=2");
        assert_eq!(
            rules().judge("https://a.test/"),
            Judged::Follow(CrawlUrl::parse("https://a.test/").expect("a URL"))
        );
    }

    #[test]
    fn a_link_that_is_not_followed_says_why() {
        let url = "https://a.test/events/2050-01/";
        assert_eq!(rules().judge(url), Judged::Trap(CrawlUrl::parse(url).expect("a URL"), Trap::Calendar));
        assert_eq!(rules().judge("https://a.test/private/"), Judged::Excluded);
        assert_eq!(rules().judge("https://a.test/private/events/2050-01/"), Judged::Excluded);
        for url in
            ["", "/x", "ftp://a.test/", "https://me:secret@a.test/", "https://[/", &"https://a.test/x".repeat(2000)]
        {
            assert_eq!(rules().judge(url), Judged::Unusable, "{url:.40}");
        }
    }

    #[test]
    fn a_parsed_link_is_judged_as_its_text() {
        for url in [
            "https://www.a.test/x?utm_source=y",
            "http://other.example/x?a=1",
            "http://other.example/i.php?PHPSESSID=1&p=2",
            "https://a.test/private/",
            "http://other.example/private/",
            "http://other.example/events/2050-01/",
        ] {
            let parsed = CrawlUrl::parse(url).expect("a URL");
            assert_eq!(rules().judge_parsed(parsed), rules().judge(url), "{url}");
        }
    }

    #[test]
    fn a_reason_names_the_rule() {
        let rules = rules();
        let explained = rules.explain("http://www.a.test/private/?utm_id=1").expect("a URL");
        assert_eq!((explained.url.url.as_str(), explained.is_rewritten), ("http://a.test/private/", true));
        assert_eq!(explained.decision, Decision { admitted: false, rule: Some(0) });
        assert_eq!(rules.filter().rules()[0].pattern, "/private/|utm_");
        let error = rules.explain("ftp://a.test/").expect_err("no page");
        assert_eq!(error.to_string(), "not an http(s) URL: scheme \"ftp\"");
    }

    #[test]
    fn a_canonical_url_is_believed_on_hosts_that_were_named() {
        let same_page =
            |host: &str| SamePage { r#match: host.to_owned(), canonical: Some(true), ..SamePage::default() };
        let identity = Identity::new(vec![same_page("a.test"), same_page("b.test")]).expect("good rules");
        let exclude = FilterRule { verb: Verb::Exclude, pattern: "/private/".to_owned() };
        let filter = Filter::new(vec![exclude]).expect("a good pattern");
        let rules = Rules::new(identity, filter, Traps::all(Month::new(2026, 11)));
        let canonical = |host: &str, named: &str| rules.canonical(host, named).map(|url| url.url);
        assert_eq!(canonical("a.test", "https://a.test/x#y").as_deref(), Some("https://a.test/x"));
        assert_eq!(canonical("a.test", "https://b.test/").as_deref(), Some("https://b.test/"));
        for (host, named) in [
            ("a.test", "https://c.test/"),
            ("c.test", "https://a.test/"),
            ("c.test", "https://c.test/"),
            ("a.test", "https://a.test/private/"),
            ("a.test", "https://a.test/events/2050-01/"),
            ("a.test", "ftp://a.test/"),
            ("a.test", ""),
        ] {
            assert_eq!(canonical(host, named), None, "{named} on {host}");
        }
    }

    #[test]
    fn session_ids_stay_where_their_trap_is_off() {
        let url = "https://a.test/i.php?PHPSESSID=1&p=2";
        let rules = Rules::new(Identity::default(), Filter::default(), Traps::off());
        assert_eq!(rules.judge(url), Judged::Follow(CrawlUrl::parse(url).expect("a URL")));
    }
}
