//! URLs that pages name, on their way into the crawl: in the transaction of the page that names them.
//!
//! A run sees each URL once, whatever names it how often. What an earlier run has fetched becomes pending again as a
//! listed URL does. A page that is not fetched, since it is not due or has not been modified, leads on by the links
//! that are stored of it: it waits in `to_follow` until the writer has time for it, and counts as pending until then.

use rusqlite::{OptionalExtension, params};

use super::order::Counted;
use super::{Result, Store};
use crate::alike;
use crate::follow::{Follow, StoredLinks};
use crate::statement::insert;
use seine_core::protocol::{Found, HostId, Place, UrlKind};
use seine_core::record::{ErrorClass, Failure, Outcome, UrlId};

/// Style sheets that name one another, up to the last that is asked for: a chain of them has no scope that would end it.
const MAX_STYLE_CHAIN: u32 = 5;

/// Roots of the scope kept at hand, with whether they are any; past it the memory starts anew.
const CACHED_ROOTS: usize = 10_000;

/// The page that names URLs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Finder<'f> {
    pub url_id: UrlId,
    pub place: Place,
    /// The host of a sitemap, whose sitemaps are its own whatever the scope is; `None`: a robots.txt, which may name any.
    pub host: Option<&'f str>,
}

impl Finder<'_> {
    /// Whether it may name a sitemap of this host beyond the scope (<https://www.sitemaps.org/protocol.html>, "Sitemap file
    /// location": a robots.txt may name those of other hosts).
    fn may_name_sitemap(self, host: &str) -> bool {
        self.place.kind == UrlKind::Sitemap && self.host.is_none_or(|own| own == host)
    }

    /// The depth of what it names: a sitemap or feed names its URLs as a list does.
    fn depth_of_found(self) -> u32 {
        self.place.depth + u32::from(matches!(self.place.kind, UrlKind::Page | UrlKind::Asset))
    }
}

/// A URL of the store that is named once more.
struct Seen {
    url_id: UrlId,
    depth: u32,
    kind: UrlKind,
    seen_in: Option<i64>,
    has_ended: bool,
    is_skipped: bool,
    rank: i32,
}

impl Store {
    /// Takes the URLs that a page names: new ones are pending, known ones may become so again.
    pub(super) fn take_found(&mut self, finder: Finder<'_>, found: &[Found]) -> Result<()> {
        let Some(follow) = self.follow.clone() else { return Ok(()) };
        let depth = finder.depth_of_found();
        let is_too_deep = follow.max_depth().is_some_and(|most| depth > most);
        if finder.place.kind == UrlKind::Asset && self.is_long_chain(finder.url_id)? {
            return Ok(());
        }
        for one in found {
            let is_too_deep = one.kind != UrlKind::Asset && is_too_deep;
            if !is_too_deep {
                self.take(&*follow, finder, one, depth)?;
            }
        }
        Ok(())
    }

    /// Takes one of them, if it is in scope. Returns its number, if the store knows it now.
    fn take(&mut self, follow: &dyn Follow, finder: Finder<'_>, one: &Found, depth: u32) -> Result<Option<UrlId>> {
        let is_admitted = match one.kind {
            // A page is not whole without them, wherever they are.
            UrlKind::Asset => true,
            UrlKind::Sitemap if finder.may_name_sitemap(one.host()) => true,
            _ => follow.admits(&one.url, &mut |root| self.is_root(root))?,
        };
        if !is_admitted {
            return Ok(None);
        }
        let host_id = self.host_id(one.host(), false)?;
        let Some(seen) = self.seen(host_id, one)? else {
            if one.stands {
                return Ok(None);
            }
            return self.insert_found(one, host_id, finder.url_id, depth).map(Some);
        };
        self.come_nearer(&seen, one, host_id, depth)?;
        if seen.kind == UrlKind::Asset && one.kind == UrlKind::Page {
            self.become_page(&seen)?;
        }
        if self.has_past && seen.seen_in != Some(self.run_id) {
            let is_trapped = one.trap.is_some() || seen.is_skipped && self.brings_nothing_new(host_id)?;
            self.see_again(&seen, host_id, one.stands || is_trapped)?;
        }
        Ok(Some(seen.url_id))
    }

    /// Takes the URL that a page names as its canonical one, and notes that the page counts as that, if rules and scope let it.
    ///
    /// It is as near as the page itself. The page keeps all that was found on it and leads on as any other: a canonical URL that
    /// is wrong costs a request and loses nothing.
    pub(super) fn take_canonical(&mut self, finder: Finder<'_>, named: &str) -> Result<()> {
        let Some(follow) = self.follow.clone() else { return Ok(()) };
        let Some(found) = finder.host.and_then(|host| follow.canonical(host, named)) else { return Ok(()) };
        if let Some(same_as) = self.take(&*follow, finder, &found, finder.place.depth)?
            && same_as != finder.url_id
        {
            self.statement("INSERT OR REPLACE INTO same_page(url_id, same_as) VALUES (?1, ?2)")?
                .execute([finder.url_id, same_as])?;
        }
        Ok(())
    }

    /// Whether so many assets have named one another, the last of them this one, that what it names is not asked for.
    fn is_long_chain(&self, url_id: UrlId) -> Result<bool> {
        let mut by = self.statement("SELECT kind, found_on FROM url WHERE url_id = ?1")?;
        let mut next = Some(url_id);
        for _ in 0..MAX_STYLE_CHAIN {
            let Some(url_id) = next else { return Ok(false) };
            let found = by.query_row([url_id], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?))).optional()?;
            match found {
                Some((kind, found_on)) if kind == UrlKind::Asset as i64 => next = found_on,
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// What a page shows is linked to as well, so that its own links count.
    fn become_page(&mut self, seen: &Seen) -> Result<()> {
        self.statement("UPDATE url SET kind = ?2 WHERE url_id = ?1")?
            .execute(params![seen.url_id, UrlKind::Page as i64])?;
        if seen.has_ended { self.follow_later(seen.url_id) } else { Ok(()) }
    }

    /// Takes a URL that the store does not know.
    fn insert_found(&mut self, found: &Found, host_id: HostId, found_on: UrlId, depth: u32) -> Result<UrlId> {
        let beyond = match (&found.trap, found.kind) {
            (Some(trap), _) => Some(Failure::new(ErrorClass::Trap, trap.clone())),
            (None, UrlKind::Page) if self.brings_nothing_new(host_id)? => {
                Some(Failure::new(ErrorClass::Trap, "trap:nothing_new"))
            }
            (None, UrlKind::Page) => self.take_in(&Counted { host_id, host: found.host(), url: &found.url, depth })?,
            (None, _) => None,
        };
        let outcome = beyond.as_ref().map(|_| Outcome::Skipped);
        let rank = self.rank(&found.url);
        insert!(
            self.db,
            "INSERT INTO",
            url {
                key: found.key,
                url: found.url,
                host_id: host_id,
                outcome: outcome.map(|outcome| outcome as i64),
                in_frontier: outcome.is_none(),
                depth: depth,
                kind: found.kind as i64,
                found_on: found_on,
                seen_in: self.run_id,
                changed_at: found.changed_at,
                rank: rank,
            }
        )?;
        let url_id = self.db.last_insert_rowid();
        self.change.count_new(outcome);
        match &beyond {
            Some(failure) => self.skipped_page(url_id, failure)?,
            None => self.change.has_grown(host_id, rank),
        }
        Ok(url_id)
    }

    /// Whether what pages bring is counted, since links to a host end where nothing is new.
    pub(super) fn ends_where_nothing_is_new(&self) -> bool {
        self.follow.as_ref().is_some_and(|follow| follow.nothing_new().is_some())
    }

    /// Whether so many pages of the host brought nothing new that links to it are not followed any more.
    fn brings_nothing_new(&self, host_id: HostId) -> Result<bool> {
        match self.follow.as_ref().and_then(|follow| follow.nothing_new()) {
            Some(pages) => Ok(alike::quiet_pages(&self.db, host_id)? >= pages),
            None => Ok(false),
        }
    }

    /// What is in a trap, or beyond a budget, has its outcome from the start.
    fn skipped_page(&self, url_id: UrlId, failure: &Failure) -> Result<()> {
        insert!(
            self.db,
            "INSERT INTO",
            page {
                url_id: url_id,
                run_id: self.run_id,
                error: failure.class.name(),
                error_message: failure.message,
                fetched_at: self.inserted_at,
                outcome: Outcome::Skipped as i64,
            },
            "ON CONFLICT DO NOTHING",
        )?;
        Ok(())
    }

    /// The URL as the store knows it. Asked first: most are known, and an insertion in vain would use up an id.
    fn seen(&self, host_id: HostId, found: &Found) -> Result<Option<Seen>> {
        let sql = "SELECT url_id, depth, kind, seen_in, outcome, rank FROM url WHERE host_id = ?1 AND key = ?2";
        let seen = self.statement(sql)?.query_row(params![host_id, found.key], |row| {
            let outcome = row.get::<_, Option<i64>>(4)?;
            Ok(Seen {
                url_id: row.get(0)?,
                depth: row.get(1)?,
                kind: UrlKind::from_number(row.get(2)?).unwrap_or_default(),
                seen_in: row.get(3)?,
                has_ended: outcome.is_some(),
                is_skipped: outcome == Some(Outcome::Skipped as i64),
                rank: row.get(5)?,
            })
        });
        Ok(seen.optional()?)
    }

    /// A shorter way to a URL was found. If depth is limited, its links may lead farther now than when it was fetched; if
    /// that of its depth was the budget without room, it may come in.
    fn come_nearer(&mut self, seen: &Seen, found: &Found, host_id: HostId, depth: u32) -> Result<()> {
        if depth >= seen.depth {
            return Ok(());
        }
        self.statement("UPDATE url SET depth = ?2 WHERE url_id = ?1")?.execute(params![seen.url_id, depth])?;
        if seen.is_skipped && self.has_budgets() {
            let url = Counted { host_id, host: found.host(), url: &found.url, depth };
            if self.try_again(seen.url_id, &url)? {
                self.change.has_grown(host_id, seen.rank);
                self.change.has_grown_again = true;
                return Ok(());
            }
        }
        let is_limited = self.follow.as_ref().is_some_and(|follow| follow.max_depth().is_some());
        if is_limited && seen.has_ended { self.follow_later(seen.url_id) } else { Ok(()) }
    }

    /// A URL that earlier runs knew is named in this one for the first time; if it `stands`, it is not asked for.
    fn see_again(&mut self, seen: &Seen, host_id: HostId, stands: bool) -> Result<()> {
        self.statement("UPDATE url SET seen_in = ?2 WHERE url_id = ?1")?.execute(params![seen.url_id, self.run_id])?;
        self.list_again(seen.url_id)?;
        let ended = if stands { None } else { self.fetch_again(seen.url_id)? };
        if self.change.count_again(ended) > 0 {
            self.change.has_grown(host_id, seen.rank);
            self.change.has_grown_again = true;
        } else if seen.has_ended {
            self.follow_unfetched(seen.url_id)?;
        }
        Ok(())
    }

    /// As [`Self::see_again`] of a URL that a list names and that is not fetched again.
    pub(super) fn see_listed(&mut self, url_id: UrlId) -> Result<()> {
        if !self.has_past {
            return Ok(());
        }
        let is_first = self
            .statement("UPDATE url SET seen_in = ?2 WHERE url_id = ?1 AND seen_in IS NOT ?2 AND outcome IS NOT NULL")?
            .execute(params![url_id, self.run_id])?
            == 1;
        if is_first { self.follow_unfetched(url_id) } else { Ok(()) }
    }

    /// The stored links of a page are to be followed if this run has not fetched it: then it has led on already.
    fn follow_unfetched(&mut self, url_id: UrlId) -> Result<()> {
        let is_past = self
            .statement("SELECT 1 FROM page WHERE url_id = ?1 AND run_id < ?2")?
            .exists(params![url_id, self.run_id])?;
        if is_past { self.follow_later(url_id) } else { Ok(()) }
    }

    /// The stored links of a page are to be followed, by and by.
    pub(super) fn follow_later(&mut self, url_id: UrlId) -> Result<()> {
        if self.follow.is_some() {
            let added = self
                .statement("INSERT INTO to_follow(url_id) VALUES (?1) ON CONFLICT DO NOTHING")?
                .execute([url_id])?;
            self.change.to_follow += added as i64;
        }
        Ok(())
    }

    /// Pages of which the stored links are still to be followed, as of the last commit.
    pub fn to_follow(&self) -> u64 {
        self.counts.to_follow
    }

    /// Follows the stored links of at most `pages` such pages.
    ///
    /// # Errors
    /// [`crate::StoreError`]
    pub fn follow_stored(&mut self, pages: u32) -> Result<()> {
        let Some(follow) = self.follow.clone() else { return Ok(()) };
        let url_ids = self
            .statement("SELECT url_id FROM to_follow ORDER BY url_id LIMIT ?1")?
            .query_map([pages], |row| row.get(0))?
            .collect::<Result<Vec<UrlId>, _>>()?;
        for url_id in url_ids {
            let page = self
                .statement(
                    "SELECT u.depth, u.kind, u.url, coalesce(k.links, '[]'), p.meta_robots, \
                       iif(p.outcome = 0, p.canonical, NULL), coalesce(p.final_url, u.url) \
                     FROM url u CROSS JOIN page p ON p.url_id = u.url_id LEFT JOIN page_link k ON k.url_id = u.url_id \
                     WHERE u.url_id = ?1",
                )?
                .query_row([url_id], |row| {
                    let kind = UrlKind::from_number(row.get(1)?).unwrap_or_default();
                    let page = StoredLinks {
                        page: row.get(2)?,
                        links: row.get(3)?,
                        robots: row.get(4)?,
                        canonical: row.get(5)?,
                    };
                    Ok((Place { depth: row.get(0)?, kind }, page, row.get::<_, String>(6)?))
                })
                .optional()?;
            if let Some((place, page, answered_at)) = page {
                let host = Some(host_of(&page.page).unwrap_or_default());
                self.take_found(Finder { url_id, place, host }, &follow.of_stored(&page, place))?;
                if let Some(named) = page.canonical.as_deref().filter(|_| place.kind == UrlKind::Page) {
                    self.take_canonical(Finder { url_id, place, host: host_of(&answered_at) }, named)?;
                }
            }
            self.statement("DELETE FROM to_follow WHERE url_id = ?1")?.execute([url_id])?;
            self.change.to_follow -= 1;
        }
        Ok(())
    }

    /// Notes what a listed URL stands for in the scope.
    pub(super) fn note_root(&mut self, listed: &str) -> Result<()> {
        let Some(root) = self.follow.as_ref().and_then(|follow| follow.root(listed)) else { return Ok(()) };
        if self.roots.get(&root) == Some(&true) {
            return Ok(());
        }
        self.statement("INSERT INTO scope_root(root) VALUES (?1) ON CONFLICT DO NOTHING")?.execute([&root])?;
        self.remember_root(root, true);
        Ok(())
    }

    fn is_root(&mut self, text: &str) -> Result<bool> {
        if let Some(is_root) = self.roots.get(text) {
            return Ok(*is_root);
        }
        let is_root = self.statement("SELECT 1 FROM scope_root WHERE root = ?1")?.exists([text])?;
        self.remember_root(text.to_owned(), is_root);
        Ok(is_root)
    }

    fn remember_root(&mut self, root: String, is_root: bool) {
        if self.roots.len() >= CACHED_ROOTS {
            self.roots.clear();
        }
        self.roots.insert(root, is_root);
    }

    /// Notes the roots of all listed URLs anew, if those of the store are of another scope.
    pub(super) fn lay_scope(&mut self) -> Result<()> {
        let Some(follow) = self.follow.clone() else { return Ok(()) };
        let known =
            self.statement("SELECT kind FROM scope")?.query_row([], |row| row.get::<_, String>(0)).optional()?;
        if known.as_deref() == Some(follow.scope()) {
            return Ok(());
        }
        self.db.execute_batch("DELETE FROM scope_root; DELETE FROM scope")?;
        self.statement("INSERT INTO scope(kind) VALUES (?1)")?.execute([follow.scope()])?;
        let mut listed = self.db.prepare("SELECT url FROM url WHERE file_id IS NOT NULL AND host_id <> 0")?;
        let mut note = self.db.prepare("INSERT INTO scope_root(root) VALUES (?1) ON CONFLICT DO NOTHING")?;
        let mut rows = listed.query([])?;
        while let Some(row) = rows.next()? {
            if let Some(root) = follow.root(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?) {
                note.execute([root])?;
            }
        }
        Ok(())
    }

    /// At the end of a complete run: what no page and no list has named in it is gone.
    pub(super) fn forget_unseen(&self) -> Result<()> {
        if self.follow.is_some() && self.has_past {
            self.db.execute(
                "UPDATE url SET unlisted_by = ?1, relisted_by = NULL \
                 WHERE file_id IS NULL AND seen_in IS NOT ?1 AND outcome IS NOT NULL \
                   AND (unlisted_by IS NULL OR relisted_by IS NOT NULL)",
                [self.run_id],
            )?;
        }
        Ok(())
    }
}

/// The host of a URL as the store has it.
fn host_of(url: &str) -> Option<&str> {
    let start = url.find("//")? + 2;
    let authority = url[start..].split('/').next()?;
    Some(authority.rsplit_once(':').map_or(authority, |(host, _)| host))
}
