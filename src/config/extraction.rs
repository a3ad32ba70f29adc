//! Settings of extraction: the parts of pages that are read and kept. The whole of this group decides whether a page of an earlier run may stand.

use serde::Serialize;

use super::group::group;
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

impl Extraction {
    pub(super) fn resolve(&mut self) {
        self.store_bodies &= !self.no_store_bodies;
    }

    /// All of it as a hash: a page that was read with another one cannot stand for what is wanted now, though the site
    /// says that it has not changed.
    pub fn reading(&self) -> [u8; 16] {
        let group = serde_json::to_value(self).expect("plain values always serialise");
        let values: serde_json::Value =
            group.as_object().into_iter().flat_map(|options| options.values()).cloned().collect();
        let mut hash = [0; 16];
        hash.copy_from_slice(&blake3::hash(values.to_string().as_bytes()).as_bytes()[..16]);
        hash
    }
}
