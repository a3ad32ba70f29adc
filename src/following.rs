//! The rules by which a crawl finds URLs, as its settings have them, for those who apply them: fetchers to the pages they
//! read, the writer to pages that are not fetched again.

use std::sync::Arc;

use crate::config::Follow;
use seine_core::protocol::{Found, Place};
use seine_core::record::links::read_json;
use seine_follow::{BadPattern, BadRule, Following, Identity, Month, Rules, SamePage, Scope, Traps};
use seine_page::extract::rules::{Selector, SelectorError};
use seine_store::StoreError;
use seine_store::follow::StoredLinks;
use seine_unix::clock;

/// Why no URLs can be found as the settings say.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// A pattern of `--include` or `--exclude`.
    #[error(transparent)]
    Pattern(#[from] BadPattern),
    /// A rule for the same page.
    #[error("same_page: {0}")]
    SamePage(#[from] BadRule),
    /// The selector of `--follow-css`.
    #[error("--follow-css {text:?}: at byte {}: {}", error.at, error.message)]
    Css {
        /// As it was written.
        text: String,
        /// What is wrong with it.
        error: SelectorError,
    },
}

/// What the settings say of links, sitemaps and feeds; `None` if no URL is found by any of them.
///
/// # Errors
/// [`FollowError`]
pub fn following(settings: &Follow) -> Result<Option<Following>, FollowError> {
    if !settings.is_on() {
        return Ok(None);
    }
    selector(settings)?;
    Ok(Some(Following {
        rules: rules(settings)?,
        links: settings.follow,
        assets: settings.assets,
        ignore_nofollow: settings.ignore_nofollow,
        max_depth: settings.depth.map(u32::from),
    }))
}

/// `--follow-css`, compiled.
///
/// # Errors
/// [`FollowError::Css`]
pub fn selector(settings: &Follow) -> Result<Option<Selector>, FollowError> {
    let parse = |text: &String| Selector::parse(text).map_err(|error| FollowError::Css { text: text.clone(), error });
    settings.follow_css.as_ref().map(parse).transpose()
}

/// What the settings say of single URLs, whether any is followed or not.
///
/// # Errors
/// [`FollowError`]
pub fn rules(settings: &Follow) -> Result<Rules, FollowError> {
    let now = Month::of_epoch_ms(i64::try_from(clock::wall().ms()).unwrap_or(i64::MAX));
    // What holds for all hosts comes first: rules for single ones may say otherwise.
    let everywhere = SamePage { r#match: "*".to_owned(), canonical: Some(true), ..SamePage::default() };
    let same_page = settings.canonical.then_some(everywhere).into_iter().chain(settings.same_page.iter().cloned());
    let identity = Identity::new(same_page.collect())?;
    Ok(Rules::new(identity, settings.filter()?, Traps::new(settings.traps(), now)))
}

/// The same as [`following`] for the writer.
///
/// # Errors
/// [`FollowError`]
pub fn for_store(settings: &Follow) -> Result<Option<Arc<dyn seine_store::follow::Follow>>, FollowError> {
    let scope = settings.scope;
    let nothing_new = settings.ends_after().map(u64::from);
    let books = following(settings)?.map(|following| Books { following, scope, nothing_new });
    Ok(books.map(|books| -> Arc<dyn seine_store::follow::Follow> { Arc::new(books) }))
}

#[derive(Debug)]
struct Books {
    following: Following,
    scope: Scope,
    nothing_new: Option<u64>,
}

impl seine_store::follow::Follow for Books {
    fn scope(&self) -> &str {
        self.scope.name()
    }

    fn root(&self, listed: &str) -> Option<String> {
        self.scope.root(listed)
    }

    fn admits(
        &self,
        found: &str,
        is_root: &mut dyn FnMut(&str) -> Result<bool, StoreError>,
    ) -> Result<bool, StoreError> {
        if self.scope == Scope::Any {
            return Ok(true);
        }
        for root in self.scope.roots(found).iter() {
            if is_root(root)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn of_stored(&self, page: &StoredLinks, place: Place) -> Vec<Found> {
        let leads_on = self.following.leads_on(place, page.robots.as_deref());
        if !leads_on.is_any() {
            return Vec::new();
        }
        self.following.of_links(&read_json(&page.links, &page.page), leads_on)
    }

    fn canonical(&self, host: &str, named: &str) -> Option<Found> {
        self.following.canonical(host, named)
    }

    fn nothing_new(&self) -> Option<u64> {
        self.nothing_new
    }

    fn max_depth(&self) -> Option<u32> {
        self.following.max_depth
    }
}
