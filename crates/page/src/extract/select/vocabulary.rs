//! Words that tell what a part of a page is for: those of class names and ids, and those of texts.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

/// A set of groups, one bit each.
pub(super) type Groups = u32;

/// Number of groups of names.
pub(super) const NAME_GROUPS: usize = NAMES.len();
/// Number of groups of texts.
pub(super) const TEXT_GROUPS: usize = TEXTS.len();

/// What authors call the parts of a page. A word with `-` before it, or behind it, begins or ends a word of the name.
pub(super) const NAMES: [(&str, &[&str]); 24] = [
    ("menu", &["nav", "menu", "-toc", "tabs", "-tab-", "drawer", "offcanvas", "megamenu", "dropdown", "hamburger"]),
    ("breadcrumb", &["breadcrumb", "crumb", "-path-"]),
    ("header", &["header", "masthead", "topbar", "top-bar", "banner", "-logo", "toolbar"]),
    ("footer", &["footer", "-foot-", "copyright", "legal", "colophon", "bottom"]),
    (
        "side",
        &["sidebar", "side-", "-aside", "-rail", "widget", "right-col", "rightcol", "left-col", "leftcol", "secondary"],
    ),
    ("comment", &["comment", "disqus", "respond", "-reply", "replies", "discussion"]),
    ("share", &["share", "sharing", "social", "follow", "addtoany", "twitter", "facebook"]),
    (
        "related",
        &[
            "related",
            "recommend",
            "similar",
            "more-",
            "-also-",
            "suggest",
            "popular",
            "trending",
            "latest",
            "recent",
            "upsell",
            "cross-sell",
            "crosssell",
            "read-next",
            "next-",
            "prev",
            "pagination",
            "pager",
            "outbrain",
            "taboola",
        ],
    ),
    ("cookie", &["cookie", "consent", "gdpr", "onetrust", "privacy", "cmp-"]),
    (
        "promo",
        &[
            "promo",
            "sponsor",
            "advert",
            "-ad-",
            "-ads-",
            "adslot",
            "-cta",
            "call-to-action",
            "offer",
            "campaign",
            "donat",
            "paywall",
            "announcement",
        ],
    ),
    ("letter", &["newsletter", "subscri", "signup", "sign-up", "optin", "mailing", "email"]),
    (
        "account",
        &["login", "log-in", "signin", "sign-in", "register", "account", "-user", "profile", "avatar", "member"],
    ),
    ("layer", &["modal", "popup", "pop-up", "overlay", "lightbox", "tooltip", "toast", "flyout", "dialog", "alert"]),
    (
        "unseen",
        &[
            "hidden",
            "sr-only",
            "visually-hidden",
            "visuallyhidden",
            "screen-reader",
            "invisible",
            "offscreen",
            "d-none",
            "print",
        ],
    ),
    ("byline", &["byline", "author", "-meta", "date", "-time", "timestamp", "published", "posted", "credit", "info"]),
    ("tags", &["-tag-", "tags", "categor", "label", "keyword", "topic", "badge", "chip", "filter", "facet", "sort"]),
    ("article", &["article", "-post", "entry", "story", "blog", "news", "hentry"]),
    (
        "body",
        &[
            "content",
            "-body",
            "-text",
            "main",
            "prose",
            "richtext",
            "rich-text",
            "markdown",
            "wysiwyg",
            "copy",
            "description",
        ],
    ),
    (
        "title",
        &[
            "title", "heading", "headline", "subtitle", "caption", "-name", "lead-", "-lede", "intro", "summary",
            "excerpt",
        ],
    ),
    ("message", &["message", "thread", "-topic", "forum", "answer", "question", "cooked", "userpost", "bbcode"]),
    (
        "product",
        &[
            "product", "price", "-sku", "spec", "variant", "cart", "basket", "stock", "shipping", "delivery", "rating",
            "review",
        ],
    ),
    (
        "entries",
        &[
            "list",
            "grid",
            "card",
            "item",
            "tile",
            "result",
            "collection",
            "row",
            "carousel",
            "slider",
            "swiper",
            "slide",
        ],
    ),
    (
        "section",
        &["hero", "section", "feature", "faq", "accordion", "testimonial", "block", "panel", "column", "module"],
    ),
    ("control", &["button", "btn", "form", "search", "input", "toggle", "expand", "skip", "copy-", "print-", "edit"]),
];

/// What stands in parts of a page that are not its text, or only just.
pub(super) const TEXTS: [(&str, &[&str]); 16] = [
    ("cookie", &["cookie", "gdpr", "consent"]),
    ("letter", &["newsletter", "subscribe", "sign up", "your email", "email address", "inbox", "abonnieren", "inscri"]),
    ("account", &["log in", "login", "sign in", "register", "my account", "password", "anmelden", "connexion"]),
    (
        "share",
        &[
            "share",
            "tweet",
            "facebook",
            "twitter",
            "whatsapp",
            "linkedin",
            "pinterest",
            "instagram",
            "teilen",
            "follow us",
        ],
    ),
    (
        "related",
        &[
            "related",
            "you may also",
            "you might also",
            "recommended",
            "more from",
            "read next",
            "similar",
            "also like",
            "popular",
            "latest",
            "trending",
            "mehr zum thema",
            "recently viewed",
        ],
    ),
    ("rights", &["©", "copyright", "all rights reserved", "privacy", "terms of", "impressum", "datenschutz"]),
    ("comment", &["comment", "reply", "replies", "kommentar", "leave a"]),
    (
        "more",
        &[
            "read more",
            "learn more",
            "see all",
            "view all",
            "show more",
            "load more",
            "see more",
            "view more",
            "shop all",
            "continue reading",
            "click here",
            "weiterlesen",
        ],
    ),
    ("advert", &["advertis", "sponsored", "anzeige", "affiliate"]),
    ("skip", &["skip to", "javascript", "browser", "back to top", "toggle", "jump to", "menu", "close"]),
    ("byline", &["posted", "published", "updated", "written by", "min read", "author", "by ", "von "]),
    (
        "cart",
        &[
            "add to cart",
            "add to bag",
            "checkout",
            "shipping",
            "returns",
            "in stock",
            "wishlist",
            "quantity",
            "out of stock",
            "cart",
            "delivery",
        ],
    ),
    ("price", &["$", "€", "£", "¥", "usd", "price"]),
    (
        "votes",
        &[
            "review",
            "rating",
            "stars",
            "votes",
            "views",
            "joined",
            "likes",
            "upvote",
            "points",
            "report",
            "messages:",
            "posts:",
        ],
    ),
    (
        "call",
        &[
            "contact us",
            "get started",
            "free trial",
            "request a",
            "book a",
            "call us",
            "get a quote",
            "download",
            "demo",
            "buy now",
            "try ",
        ],
    ),
    (
        "find",
        &["search", "filter", "sort by", "results", "category", "categories", "tags", "previous", "next", "page "],
    ),
];

/// The groups whose words stand in a text or name.
pub(super) struct Vocabulary {
    words: AhoCorasick,
    /// Of each word: its group, and whether it begins and ends a word.
    of: Vec<(u8, bool, bool)>,
}

/// Of class names and ids.
pub(super) static OF_NAMES: LazyLock<Vocabulary> = LazyLock::new(|| Vocabulary::new(&NAMES));
/// Of texts.
pub(super) static OF_TEXTS: LazyLock<Vocabulary> = LazyLock::new(|| Vocabulary::new(&TEXTS));

impl Vocabulary {
    fn new(groups: &[(&str, &[&str])]) -> Self {
        let mut patterns = Vec::new();
        let mut of = Vec::new();
        for (group, (_, words)) in groups.iter().enumerate() {
            for word in *words {
                let inner = word.trim_matches('-');
                patterns.push(inner);
                of.push((group as u8, word.starts_with('-'), word.ends_with('-')));
            }
        }
        let words = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(patterns)
            .expect("a few hundred short words fit an automaton");
        Self { words, of }
    }

    /// The groups whose words stand in `text`.
    pub fn groups(&self, text: &str) -> Groups {
        let bytes = text.as_bytes();
        let mut groups = 0;
        for found in self.words.find_overlapping_iter(text) {
            let (group, begins, ends) = self.of[found.pattern().as_usize()];
            if groups >> group & 1 == 1 {
                continue;
            }
            let (start, end) = (found.start(), found.end());
            // `navBar`, `nav-bar`, `nav2`: a capital begins a word too.
            let is_begun = || {
                start == 0
                    || !bytes[start - 1].is_ascii_alphabetic()
                    || bytes[start].is_ascii_uppercase() && !bytes[start - 1].is_ascii_uppercase()
            };
            let is_ended = || bytes.get(end).is_none_or(|next| !next.is_ascii_lowercase());
            if (!begins || is_begun()) && (!ends || is_ended()) {
                groups |= 1 << group;
            }
        }
        groups
    }
}
