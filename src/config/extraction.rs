//! Settings of extraction: the parts of pages that are read and kept. The whole of this group decides whether a page of an earlier run may stand.

use serde::Serialize;

use super::group::{Group, group};
use seine_core::values::RulesText;

group! {
    /// The parts of pages that are read and kept.
    ///
    /// Every option belongs to [`Extraction::reading`] as it is declared, in this order: one that makes no difference to
    /// what a page comes to has its place in another group.
    #[derive(Serialize)]
    pub struct Extraction {
        /// Rules for fields of pages; a config key only. Read by [`seine_page::extract::rules`], which knows what is allowed.
        #[arg(skip)]
        collection: Vec<toml::Value>;

        /// Keep what HTML pages say of themselves: OpenGraph, JSON-LD types, author, dates, feeds, as a JSON object
        #[arg(long)]
        metadata: bool;

        /// Keep the main text of HTML pages, without navigation and the like
        #[arg(long)]
        text: bool;

        /// Keep the main text of HTML pages as Markdown
        #[arg(long)]
        markdown: bool;

        /// Keep the tables of HTML pages as rows of texts, spans written out, as a JSON array
        #[arg(long)]
        tables: bool;

        /// Keep response bodies, compressed, the same bytes once [default: true]
        #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true)]
        #[arg(default_missing_value = "true", overrides_with = "no_store_bodies")]
        store_bodies: bool = true;
    }
    beside {
        /// Keep only size and hash of bodies
        #[arg(long, overrides_with = "store_bodies")]
        no_store_bodies: bool;

        /// The collections as they are written: the config file's text, empty if it has no collections.
        #[arg(skip)]
        rules_text: RulesText;
    }
}

/// The readers of main text, Markdown and metadata. Another one finds other texts in the same page, so it has another name.
const READERS: &str = "3";

fn hash(text: &[u8]) -> [u8; 16] {
    let mut hash = [0; 16];
    hash.copy_from_slice(&blake3::hash(text).as_bytes()[..16]);
    hash
}

/// What is read of pages for [`Follow`](super::Follow).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadForFollow {
    /// What they show and run.
    pub assets: bool,
    /// Which of them say nearly the same.
    pub words: bool,
}

impl Extraction {
    pub(super) fn resolve(&mut self) {
        self.store_bodies &= !self.no_store_bodies;
    }

    /// That of a run, of its settings in the store; `None` if they are not understood.
    pub fn of_run(config: &str) -> Option<Self> {
        let mut all: serde_json::Map<String, serde_json::Value> = serde_json::from_str(config).ok()?;
        let own = Self::keys().iter().filter_map(|key| all.remove_entry(*key)).collect();
        serde_json::from_value(serde_json::Value::Object(own)).ok()
    }

    /// What the pages of a run with these settings are read for once this was applied to their stored bodies: rules take
    /// the place of rules, texts and the like come to what is there.
    pub fn reading_after(&self, config: &str) -> Option<[u8; 16]> {
        let Self { collection, metadata, text, markdown, tables, .. } = self;
        let mut whole = Self::of_run(config)?;
        if !collection.is_empty() {
            whole.collection.clone_from(collection);
        }
        whole.metadata |= metadata;
        whole.text |= text;
        whole.markdown |= markdown;
        whole.tables |= tables;
        let settings: serde_json::Value = serde_json::from_str(config).ok()?;
        let follow = ReadForFollow {
            assets: settings["assets"] == true,
            words: settings["near_duplicates"] == true || settings["nothing_new"].is_number(),
        };
        Some(whole.reading_with(follow))
    }

    /// All of it as a hash: a page that was read with another one cannot stand for what is wanted now, though the site
    /// says that it has not changed.
    pub fn reading(&self) -> [u8; 16] {
        let group = serde_json::to_value(self).expect("plain values always serialise");
        let values: serde_json::Value =
            group.as_object().into_iter().flat_map(|options| options.values()).cloned().collect();
        let mut text = values.to_string();
        if self.metadata || self.text || self.markdown {
            text.push_str(READERS);
        }
        hash(text.as_bytes())
    }

    /// The same of a run that reads more of pages for what it follows: the stored links of a page that was read without name
    /// no assets, and its words are not known.
    pub fn reading_with(&self, follow: ReadForFollow) -> [u8; 16] {
        let mut reading = self.reading();
        for (_, name) in [(follow.assets, "assets"), (follow.words, "words")].iter().filter(|(is_read, _)| *is_read) {
            reading = hash(&[&reading[..], name.as_bytes()].concat());
        }
        reading
    }
}
