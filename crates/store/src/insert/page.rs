//! Messages of fetchers: the records of pages, their requests, and robots.txt files.

use rusqlite::{OptionalExtension, params};

use super::found::Finder;
use super::{Result, Store};
use crate::alike;
use crate::items::{ItemPage, insert_extras};
use crate::past::{Passed, State};
use crate::statement::insert;
use crate::versions;
use seine_core::protocol::{
    Done, Ending, HostId, PageHead, Place, RequestHead, RequestKind, RobotsHead, UrlKind, Verdict,
};
use seine_core::record::{ErrorClass, Failure, Outcome, UrlId};

impl Store {
    /// Takes one record: the page, its links, its body and the state of its URL.
    ///
    /// # Errors
    /// [`crate::StoreError`]
    pub fn page(&mut self, head: &PageHead, zstd: &[u8]) -> Result<Done> {
        let mut done = known(head);
        self.requests(head.url_id, &head.requests, head.attempt, true)?;
        self.hold_host(head)?;
        let (outcome, failure) = match &head.ending {
            Ending::Final { outcome, failure } => (*outcome, failure.as_ref()),
            Ending::Retry { due_at, failure } => {
                if self.try_later(head.url_id, *due_at)? {
                    done.verdict = Verdict::Again { due_at: *due_at, class: failure.as_ref().map(|f| f.class) };
                }
                return Ok(done);
            }
        };
        // Without a request there was no attempt.
        let attempts = u32::from(!head.requests.is_empty() || !head.hops.is_empty());
        let Some((host_id, depth)) = self.end_url(head.url_id, outcome, attempts)? else { return Ok(done) };
        done.verdict = Verdict::Ended(outcome, failure.map(|f| f.class));
        self.count_host(host_id, outcome, head.elapsed_ms);
        if head.not_modified {
            self.confirm_page(head)?;
            self.follow_later(head.url_id)?;
            return Ok(done);
        }
        let body_id = self.replace_page(head, outcome, failure, zstd)?;
        if outcome == Outcome::Ok && head.place.kind == UrlKind::Page && self.ends_where_nothing_is_new() {
            let fields = head.page.as_ref();
            let likeness = fields.and_then(|page| page.likeness).map(u128::from_be_bytes);
            alike::note(&self.db, host_id, likeness, body_id, fields.is_some_and(|page| page.says_missing))?;
        }
        self.found_on_page(head, host_id)?;
        self.lead_on(head, outcome, depth)?;
        self.change.bytes += done.bytes;
        Ok(done)
    }

    /// Notes until when the host that answered last asked to be left alone.
    fn hold_host(&mut self, head: &PageHead) -> Result<()> {
        if head.hold_until > 0
            && let Some(last) = head.requests.last()
        {
            let host_id = self.host_id(&last.host, false)?;
            self.statement("UPDATE host SET hold_until = max(hold_until, ?2) WHERE host_id = ?1")?
                .execute(params![host_id, head.hold_until])?;
        }
        Ok(())
    }

    /// Counts an attempt of a URL that is to be tried again; `false` if it has its outcome already.
    fn try_later(&self, url_id: UrlId, due_at: u64) -> Result<bool> {
        let updated = self
            .statement("UPDATE url SET attempts = attempts + 1, due_at = ?2 WHERE url_id = ?1 AND outcome IS NULL")?
            .execute(params![url_id, due_at])?;
        Ok(updated == 1)
    }

    /// The site says that the page is as it was (304): only what belongs to the fetch changes.
    fn confirm_page(&self, head: &PageHead) -> Result<()> {
        let since = self.pass_on(head.url_id, None)?.since;
        let revisit_ms = self.due_again(head.url_id, Some(false))?;
        self.statement(
            "UPDATE page SET content_at = coalesce(content_at, fetched_at), content_run = coalesce(content_run, run_id), \
                             run_id = ?2, fetched_at = ?3, elapsed_ms = ?4, outcome = 0, changed = 0, not_modified = 1, \
                             revisit_ms = ?5, since_run = ?6, since_changed = ?7, same_id = ?8 \
             WHERE url_id = ?1",
        )?
        .execute(params![
            head.url_id,
            self.run_id,
            head.started_at,
            head.elapsed_ms,
            revisit_ms,
            since.run_id,
            since.changed,
            since.same_id,
        ])?;
        Ok(())
    }

    /// Writes the page and its body in the place of what was there; returns the number of the body.
    fn replace_page(
        &mut self,
        head: &PageHead,
        outcome: Outcome,
        failure: Option<&Failure>,
        zstd: &[u8],
    ) -> Result<Option<i64>> {
        let body_id = match &head.body {
            Some(body) => {
                let kept = (!zstd.is_empty()).then_some(zstd);
                Some(self.bodies.id(&self.db, &body.hash, body.bytes, kept)?)
            }
            None => None,
        };
        let fields = head.page.as_ref();
        let now = State {
            outcome: outcome as i64,
            status: head.status,
            error: failure.map(|failure| failure.class.name().to_owned()),
            hash: head.body.map(|body| body.hash.to_vec()),
            title: fields.and_then(|page| page.title.clone()),
        };
        let Passed { before, since } = self.pass_on(head.url_id, Some(&now))?;
        let changed = if self.has_past { self.forget_for(head.url_id, &now, before)? } else { None };
        let validators = head.validators.as_deref();
        insert!(
            self.db,
            "INSERT OR REPLACE INTO",
            page {
                url_id: head.url_id,
                run_id: self.run_id,
                outcome: outcome as i64,
                status: head.status,
                error: failure.map(|f| f.class.name()),
                error_message: failure.map(|f| &f.message),
                final_url: head.final_url,
                redirects: redirects(head),
                fetched_at: head.started_at,
                elapsed_ms: head.elapsed_ms,
                attempt: head.attempt,
                content_type: head.content_type,
                charset: head.charset,
                body_id: body_id,
                changed: changed,
                revisit_ms: self.due_again(head.url_id, changed)?,
                etag: validators.and_then(|v| v.etag.as_ref()),
                last_modified: validators.and_then(|v| v.last_modified.as_ref()),
                meta_robots: head.meta_robots,
                title: fields.map(|p| &p.title),
                h1: fields.map(|p| &p.h1),
                description: fields.map(|p| &p.description),
                canonical: fields.map(|p| &p.canonical),
                lang: fields.map(|p| &p.lang),
                likeness: fields.and_then(|p| p.likeness),
                soft_404: fields.filter(|p| p.says_missing && outcome == Outcome::Ok).map(|_| alike::SAYS_SO),
                since_run: since.run_id,
                since_changed: since.changed,
                same_id: since.same_id,
            }
        )?;
        if self.has_past && body_id.is_some() && changed != Some(false) {
            versions::drop_old(&self.db, head.url_id, self.keep)?;
        }
        self.change.has_other_texts |= changed != Some(false);
        Ok(body_id)
    }

    /// Writes what was found on the page: links, items, and what else was asked for.
    fn found_on_page(&mut self, head: &PageHead, host_id: HostId) -> Result<()> {
        if let Some(links) = head.page.as_ref().and_then(|page| page.links.as_ref()) {
            self.statement("INSERT INTO page_link(url_id, links) VALUES (?1, ?2)")?
                .execute(params![head.url_id, links])?;
        }
        if let Some(items) = &head.items {
            let page = ItemPage { url_id: head.url_id, host_id, run_id: self.run_id, fetched_at: head.started_at };
            self.collections.insert(&self.db, &page, items)?;
        }
        if let Some(extras) = &head.extras {
            insert_extras(&self.db, head.url_id, extras)?;
        }
        Ok(())
    }

    /// Follows the links of a page that lies `depth` links from a list.
    fn lead_on(&mut self, head: &PageHead, outcome: Outcome, depth: u32) -> Result<()> {
        if outcome == Outcome::Failed || head.finds_more || depth < head.place.depth {
            // The page keeps the links it had; there are more than its record brings; or they lead farther than its fetcher
            // knew when it passed over some.
            self.follow_later(head.url_id)?;
        }
        self.take_in_new_home(head, depth)?;
        let host = head.requests.last().map_or("", |request| request.host.as_str());
        let place = Place { depth, ..head.place };
        let finder = Finder { url_id: head.url_id, place, host: Some(host) };
        self.take_found(finder, &head.found)?;
        match head.page.as_ref().and_then(|page| page.canonical.as_deref()) {
            Some(named) if outcome == Outcome::Ok && place.kind == UrlKind::Page => self.take_canonical(finder, named),
            _ => Ok(()),
        }
    }

    /// A listed front page that redirects elsewhere means the site that it has moved to; other pages may be redirected to
    /// a login or a shop that nobody has named.
    fn take_in_new_home(&mut self, head: &PageHead, depth: u32) -> Result<()> {
        let is_front = |url: &str| url::Url::parse(url).is_ok_and(|url| url.path() == "/" && url.query().is_none());
        match (&head.final_url, head.hops.first()) {
            (Some(home), Some(hop)) if depth == 0 && is_front(&hop.url) => self.note_root(home),
            _ => Ok(()),
        }
    }

    /// Removes what a whole answer takes the place of; says whether its body is another one than the last.
    fn forget_for(&self, url_id: UrlId, now: &State, before: Option<State>) -> Result<Option<bool>> {
        if ![Outcome::Ok, Outcome::HttpError].map(|outcome| outcome as i64).contains(&now.outcome) {
            // A failure does not say that the page is gone: what it had stays.
            return Ok(None);
        }
        for table in ["page_link", "page_extra", "extract_problem", "same_page"] {
            self.statement(&format!("DELETE FROM {table} WHERE url_id = ?1"))?.execute([url_id])?;
        }
        let before = match before.filter(|before| before.outcome == now.outcome) {
            Some(before) => Some(before.hash),
            None => self
                .statement(
                    "SELECT body_hash FROM past_page INDEXED BY past_url WHERE url_id = ?1 AND outcome = ?2 \
                     ORDER BY past_id DESC LIMIT 1",
                )?
                .query_row(params![url_id, now.outcome], |row| row.get(0))
                .optional()?,
        };
        Ok(before.map(|before| before != now.hash))
    }

    /// How long after this fetch the page is due again: `None` if nobody asks, or nothing is known.
    fn due_again(&self, url_id: UrlId, changed: Option<bool>) -> Result<Option<u64>> {
        if !self.has_past {
            return Ok(None);
        }
        let before = self
            .statement("SELECT revisit_ms FROM page WHERE url_id = ?1")?
            .query_row([url_id], |row| row.get::<_, Option<u64>>(0))
            .optional()?
            .flatten();
        Ok(match (self.again.revisit, changed) {
            (Some(revisit), Some(changed)) => Some(revisit.next(before, changed)),
            _ => before,
        })
    }

    /// Records requests made for a URL. Those of a record that comes twice are there twice: they were made.
    fn requests(&mut self, url_id: UrlId, requests: &[RequestHead], attempt: u16, ends_attempt: bool) -> Result<()> {
        self.change.requests += requests.len() as u64;
        for (at, request) in requests.iter().enumerate() {
            let host_id = self.host_id(&request.host, false)?;
            let is_last = ends_attempt && at + 1 == requests.len();
            insert!(
                self.db,
                "INSERT INTO",
                request {
                    url_id: url_id,
                    run_id: self.run_id,
                    host_id: host_id,
                    url: request.url,
                    kind: request.kind as i64,
                    attempt: attempt,
                    is_last: is_last,
                    started_us: request.started_us,
                    elapsed_ms: request.elapsed_ms,
                    gap_ms: request.gap_ms,
                    status: request.status,
                    error: request.error.map(ErrorClass::name),
                    bytes: request.bytes,
                    remote_ip: request.remote_ip.map(|ip| ip.to_string()),
                    http_version: request.http_version.map(|version| version.number()),
                    headers: (!request.headers.is_empty()).then_some(&request.headers),
                }
            )?;
        }
        Ok(())
    }

    /// Takes a robots.txt; a later one of the same origin replaces it.
    ///
    /// # Errors
    /// [`crate::StoreError`]
    pub fn robots(&mut self, head: &RobotsHead, zstd: &[u8]) -> Result<()> {
        self.requests(head.url_id, &head.requests, head.attempt, false)?;
        insert!(
            self.db,
            "INSERT INTO",
            robots {
                origin: head.origin,
                run_id: self.run_id,
                fetched_at: head.fetched_at,
                final_url: head.final_url,
                status: head.status,
                error: head.failure.as_ref().map(|f| f.class.name()),
                error_message: head.failure.as_ref().map(|f| &f.message),
                bytes: head.bytes,
                crawl_delay_ms: head.crawl_delay_ms,
                sitemaps: head.sitemaps,
                zstd: (!zstd.is_empty()).then_some(zstd),
            },
            "ON CONFLICT(origin) DO UPDATE SET run_id = :run_id, fetched_at = :fetched_at, final_url = :final_url, \
               status = :status, error = :error, error_message = :error_message, bytes = :bytes, \
               crawl_delay_ms = :crawl_delay_ms, sitemaps = :sitemaps, zstd = :zstd"
        )?;
        self.take_sitemaps(head)
    }

    /// The sitemaps that the robots.txt of a listed host names are pages of the crawl, as near as what lists name.
    fn take_sitemaps(&mut self, head: &RobotsHead) -> Result<()> {
        // Whatever the URL is that wanted the robots.txt.
        let place = Place { depth: 0, kind: UrlKind::Sitemap };
        self.take_found(Finder { url_id: head.url_id, place, host: None }, &head.found)
    }
}

/// The answer to a record whose URL has its outcome already.
fn known(head: &PageHead) -> Done {
    let last = head.requests.last();
    Done {
        url_id: head.url_id,
        verdict: Verdict::Known,
        bytes: head.body.map_or(0, |body| body.bytes),
        status: head.status.or_else(|| last.and_then(|request| request.status)),
        robots: last.is_some_and(|request| request.kind == RequestKind::Robots),
    }
}

/// The way to the page as a JSON array of pairs; `None` if nothing led there.
fn redirects(head: &PageHead) -> Option<String> {
    (!head.hops.is_empty()).then(|| {
        let hops: Vec<_> = head.hops.iter().map(|hop| (&hop.url, hop.status)).collect();
        serde_json::to_string(&hops).unwrap_or_default()
    })
}
