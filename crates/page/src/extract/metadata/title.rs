//! The title of a page: what it calls itself, without the name of its site.

use std::collections::HashSet;

/// What stands between the title of a page and the name of its site.
const SEPARATORS: [&str; 16] =
    [" | ", " │ ", " - ", " – ", " — ", " :: ", " » ", " « ", " · ", " • ", " › ", " ‹ ", " > ", " < ", " / ", " ~ "];
/// Longest name of a site, in words, if nothing says that it is one.
const MAX_SITE_WORDS: usize = 5;

/// What a page says of its title.
#[derive(Debug, Default)]
pub(super) struct Sources {
    /// `<title>`.
    pub title: String,
    /// `og:title`, or what other networks are told.
    pub social: String,
    /// The headline of its JSON-LD.
    pub headline: String,
    /// Its headings of the highest rank, those in the main part first.
    pub headings: Vec<String>,
    /// The name of the site, and the name of its host.
    pub site: String,
    pub host: String,
}

impl Sources {
    /// The title: the heading that shares most words with what the page is called elsewhere; without one, that name
    /// without the name of the site. Empty if there is none.
    pub fn title(&self) -> String {
        let names = [&self.social, &self.headline, &self.title].map(|name| self.without_site(name));
        let named: Vec<HashSet<String>> = [&self.social, &self.headline, &self.title].map(|name| words(name)).into();
        let share = |heading: &str| {
            let own = words(heading);
            let shared = |name: &HashSet<String>| {
                own.intersection(name).count() as f64 * 2.0 / (own.len() + name.len()).max(1) as f64
            };
            let contained = |name: &HashSet<String>| own.intersection(name).count() as f64 / own.len().max(1) as f64;
            let most = |of: &dyn Fn(&HashSet<String>) -> f64| named.iter().map(of).fold(0.0, f64::max);
            // Half of its words must be in the name, or most of the name in it.
            let covered = named
                .iter()
                .filter(|name| !name.is_empty())
                .map(|name| own.intersection(name).count() as f64 / name.len() as f64)
                .fold(0.0, f64::max);
            if most(&contained) >= 0.5 || covered >= 0.6 { most(&shared) } else { 0.0 }
        };
        let mut best: Option<(f64, &String)> = None;
        for heading in self.headings.iter().filter(|heading| !self.is_site(heading)) {
            let share = share(heading);
            if share > 0.0 && best.is_none_or(|(most, _)| share > most) {
                best = Some((share, heading));
            }
        }
        let named = names.into_iter().find(|name| !name.is_empty());
        best.map(|(_, heading)| heading.clone())
            .or(named)
            .or_else(|| self.headings.first().cloned())
            .unwrap_or_default()
    }

    /// Whether a text is the name of the site.
    fn is_site(&self, text: &str) -> bool {
        let own = squashed(text);
        let is_name = |name: &str| !name.is_empty() && own == squashed(name);
        own.is_empty() || is_name(&self.site) || is_host(&own, &self.host)
    }

    /// A name of the page without that of the site before or behind it.
    fn without_site(&self, name: &str) -> String {
        let name = name.trim();
        let behind = SEPARATORS.iter().filter_map(|by| name.rfind(by).map(|at| (at, by.len()))).max();
        let before = SEPARATORS.iter().filter_map(|by| name.find(by).map(|at| (at, by.len()))).min();
        if let Some((at, len)) = behind {
            let (rest, site) = (&name[..at], &name[at + len..]);
            if self.is_site(site) {
                return self.without_site(rest);
            }
            if let Some((at, len)) = before
                && self.is_site(&name[..at])
            {
                return name[at + len..].trim().to_owned();
            }
            let (rest_words, site_words) = (rest.split_whitespace().count(), site.split_whitespace().count());
            if site_words <= MAX_SITE_WORDS && site_words < rest_words {
                return rest.trim().to_owned();
            }
        }
        name.to_owned()
    }
}

/// The words of a text, in lower case.
fn words(text: &str) -> HashSet<String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

fn squashed(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Whether letters are those of a host's name: `Example News` of `www.example-news.co.uk`.
fn is_host(letters: &str, host: &str) -> bool {
    let host = host.strip_prefix("www.").unwrap_or(host);
    squashed(host) == letters
        || host.split('.').rev().skip(1).any(|label| label.len() > 2 && squashed(label) == letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_title_is_the_heading_that_the_page_is_called_by_or_its_name_without_the_site() {
        let of = |title: &str, social: &str, headings: &[&str], site: &str| {
            let headings = headings.iter().map(|&heading| heading.to_owned()).collect();
            let (title, social, site) = (title.to_owned(), social.to_owned(), site.to_owned());
            let host = "www.town-news.example".to_owned();
            Sources { title, social, headings, site, host, ..Sources::default() }.title()
        };
        assert_eq!(of("The harbour | Town News", "", &["Town News", "The harbour"], ""), "The harbour");
        assert_eq!(of("Harbour guide", "", &["The harbour: a guide"], ""), "The harbour: a guide");
        assert_eq!(of("The old harbour - Town News", "", &["Menu"], ""), "The old harbour");
        assert_eq!(of("Town News: x", "The harbour", &[], ""), "The harbour");
        assert_eq!(
            of("A guide - with maps - of the harbour of the town", "", &[], ""),
            "A guide - with maps - of the harbour of the town"
        );
        assert_eq!(of("The Paper | The harbour of the town", "", &[], "The Paper"), "The harbour of the town");
        assert_eq!(of("", "", &["Only this"], ""), "Only this");
        assert_eq!(of("", "", &[], ""), "");
    }
}
