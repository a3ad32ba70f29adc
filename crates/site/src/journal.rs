//! The Harbour Journal: the shop's posts, three of them in encodings the old web still uses.

use std::fmt::Write as _;

use jiff::civil::{Date, date};

use super::layout::{Page, escape};

/// How the bytes of a post say what they mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charset {
    /// UTF-8, said by the header and by `<meta>`.
    Utf8,
    /// UTF-8, said by nothing but a byte order mark.
    Utf8Bom,
    /// windows-1252, said by `<meta>` only.
    Windows1252,
    /// Shift_JIS, said by the header only.
    ShiftJis,
}

impl Charset {
    /// The `Content-Type` that goes with it.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Utf8 => "text/html; charset=utf-8",
            Self::ShiftJis => "text/html; charset=Shift_JIS",
            Self::Utf8Bom | Self::Windows1252 => "text/html",
        }
    }

    /// What stands in `<meta charset>`; empty if nothing does.
    fn meta(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Windows1252 => "windows-1252",
            Self::Utf8Bom | Self::ShiftJis => "",
        }
    }

    /// `text` in this encoding; what it lacks becomes a numeric entity.
    pub fn encode(self, text: &str) -> Vec<u8> {
        match self {
            Self::Utf8 => text.as_bytes().to_vec(),
            Self::Utf8Bom => [b"\xEF\xBB\xBF", text.as_bytes()].concat(),
            Self::Windows1252 => encoding_rs::WINDOWS_1252.encode(text).0.into_owned(),
            Self::ShiftJis => encoding_rs::SHIFT_JIS.encode(text).0.into_owned(),
        }
    }
}

/// One post.
pub(super) struct Post {
    /// Path segment, unique.
    pub slug: &'static str,
    /// Heading.
    pub title: &'static str,
    /// Language tag.
    pub lang: &'static str,
    /// How it is encoded.
    pub charset: Charset,
    /// Day of publication.
    pub date: Date,
    /// Who wrote it.
    pub author: &'static str,
    /// One sentence for lists, feeds and previews.
    pub summary: &'static str,
    /// The paragraphs after the summary.
    pub text: &'static [&'static str],
}

impl Post {
    /// Path of the post.
    pub fn path(&self) -> String {
        format!("/journal/{}", self.slug)
    }

    /// The post as the bytes of an HTML page on `origin`.
    pub fn page(&self, origin: &str) -> Vec<u8> {
        let place = POSTS.iter().position(|p| p.slug == self.slug).unwrap_or_default();
        let earlier = place.checked_sub(1).map(|i| &POSTS[i]);
        let later = POSTS.get(place + 1);
        let url = format!("{origin}{}", self.path());

        let mut head = String::new();
        for (property, content) in [
            ("og:type", "article"),
            ("og:title", self.title),
            ("og:description", self.summary),
            ("og:url", &url),
            ("og:image", &format!("{origin}/img/shop.png")),
            ("article:published_time", &self.date.to_string()),
        ] {
            let _ = writeln!(head, "<meta property=\"{property}\" content=\"{}\">", escape(content));
        }
        let _ = writeln!(head, "<meta name=\"author\" content=\"{}\">", escape(self.author));
        for (rel, post) in [("prev", earlier), ("next", later)] {
            if let Some(post) = post {
                let _ = writeln!(head, "<link rel=\"{rel}\" href=\"{}\">", post.path());
            }
        }

        let mut body = format!(
            "<article>\n<h1>{}</h1>\n<p class=\"meta\"><time datetime=\"{}\">{}</time> by \
             <span class=\"author\">{}</span></p>\n<p><strong>{}</strong></p>\n",
            escape(self.title),
            self.date,
            self.date.strftime("%-d %B %Y"),
            escape(self.author),
            escape(self.summary)
        );
        for paragraph in self.text {
            let _ = writeln!(body, "<p>{}</p>", escape(paragraph));
        }
        body.push_str("</article>\n<p class=\"pager\">");
        for (rel, arrow, post) in [("prev", "&larr;", earlier), ("next", "&rarr;", later)] {
            if let Some(post) = post {
                let _ = write!(
                    body,
                    "<a rel=\"{rel}\" href=\"{}\">{arrow} {}</a> &nbsp; ",
                    post.path(),
                    escape(post.title)
                );
            }
        }
        body.push_str("</p>");
        let page = Page {
            lang: self.lang,
            charset: self.charset.meta(),
            title: self.title,
            description: self.summary,
            canonical: &url,
            head: &head,
            crumbs: &[("/".to_owned(), "Shop"), ("/journal".to_owned(), "Journal")],
            body: &body,
        };
        self.charset.encode(&page.html())
    }
}

/// The list of posts, newest first.
pub(super) fn index(origin: &str) -> String {
    let mut body =
        String::from("<h1>The Harbour Journal</h1>\n<p>Notes from behind the counter, roughly one a month.</p>\n");
    for post in POSTS.iter().rev() {
        let _ = writeln!(
            body,
            "<article lang=\"{}\"><h2><a href=\"{}\">{}</a></h2><p class=\"meta\"><time datetime=\"{}\">{}</time> by \
             {}</p><p>{}</p></article>",
            post.lang,
            post.path(),
            escape(post.title),
            post.date,
            post.date.strftime("%-d %B %Y"),
            escape(post.author),
            escape(post.summary)
        );
    }
    body.push_str("<p><a href=\"/journal/archive\">The whole journal on one page</a></p>");
    Page {
        charset: "utf-8",
        title: "The Harbour Journal",
        description: "Notes from behind the counter of a small shop by the sea.",
        canonical: &format!("{origin}/journal"),
        crumbs: &[("/".to_owned(), "Shop")],
        body: &body,
        ..Page::default()
    }
    .html()
}

/// Every post on one page, oldest first.
pub(super) fn archive(origin: &str) -> String {
    let mut body = String::from("<h1>The whole journal</h1>\n");
    for post in &POSTS {
        let _ = writeln!(
            body,
            "<section lang=\"{}\"><h2><a href=\"{}\">{}</a></h2>",
            post.lang,
            post.path(),
            escape(post.title)
        );
        for paragraph in post.text {
            let _ = writeln!(body, "<p>{}</p>", escape(paragraph));
        }
        body.push_str("</section>\n");
    }
    Page {
        charset: "utf-8",
        title: "The whole journal",
        description: "Every post of the Harbour Journal on one page.",
        canonical: &format!("{origin}/journal/archive"),
        crumbs: &[("/".to_owned(), "Shop"), ("/journal".to_owned(), "Journal")],
        body: &body,
        ..Page::default()
    }
    .html()
}

/// The posts, oldest first.
pub(super) const POSTS: [Post; 12] = [
    Post {
        slug: "why-a-shop",
        title: "Why a shop, and why here",
        lang: "en",
        charset: Charset::Utf8,
        date: date(2024, 3, 4),
        author: "Ines Calder",
        summary: "The roof leaked, the rent was low, and the view paid the difference.",
        text: &[
            "The building was a net loft until the fleet moved to the deep-water port. When we first climbed \
             the stairs \
             there were still corks in the corners and a calendar from 1986 on the wall, turned to a month with \
             good tides.",
            "We had three lamps and a box of rope to sell. On the first Saturday a man came in, looked at everything \
             twice, and bought the calendar.",
        ],
    },
    Post {
        slug: "how-a-lantern-is-made",
        title: "How a lantern is made",
        lang: "en",
        charset: Charset::Utf8,
        date: date(2024, 4, 22),
        author: "Tomas Reed",
        summary: "Eleven parts, forty minutes, and one seam that decides everything.",
        text: &[
            "The copper arrives in sheets the size of a door. It is cut, rolled and hooked into itself, and for \
             a moment \
             the thing in your hands is only a tube. Then the seam is closed with a wooden mallet, and it is a \
             lantern.",
            "If the seam is proud by half a millimetre the lens will whistle in a north wind. We know, because we sold \
             one that did, and the customer asked for another so that she could have a chord.",
        ],
    },
    Post {
        slug: "the-cat-and-the-catalogue",
        title: "The cat and the catalogue",
        lang: "en",
        charset: Charset::Utf8,
        date: date(2024, 6, 10),
        author: "Ines Calder",
        summary: "Stocktaking takes two days, or three with help.",
        text: &[
            "Every June we count everything. The numbers on the shelf and the numbers in the book are never the same, \
             and the difference is usually in a drawer, in the window, or under the cat.",
            "This year we were missing forty metres of tarred twine & found them a week later, in use, holding \
             up the sign.",
        ],
    },
    Post {
        slug: "cafe-du-port",
        title: "Une lettre du Café du Port",
        lang: "fr",
        charset: Charset::Windows1252,
        date: date(2024, 7, 14),
        author: "Hélène Garçon",
        summary: "Notre voisine d’en face raconte l’été, les crêpes et la marée.",
        text: &[
            "Chers amis, la saison a commencé très tôt cette année : dès le premier mai, on servait déjà dehors. \
             Les « storm mugs » sont parfaits pour le chocolat ; à quatre francs jadis, à 3,50 € aujourd’hui.",
            "Le soir, quand la marée remonte, les enfants comptent les bateaux. Où vont-ils ? « Là-bas », dit le plus \
             petit, et c’est, ma foi, la réponse la plus exacte que j’aie jamais entendue…",
        ],
    },
    Post {
        slug: "splicing-evening",
        title: "Splicing evening: what we learned",
        lang: "en",
        charset: Charset::Utf8,
        date: date(2024, 9, 2),
        author: "Tomas Reed",
        summary: "Nineteen people, one rope each, and a great deal of untwisting.",
        text: &[
            "An eye splice needs three tucks in natural fibre and five in polyester. It also needs somebody to say, \
             calmly, that the left strand is the one you just called the middle strand.",
            "Everyone left with an eye at the end of a rope. Two people left with an eye at both ends, which is called \
             a strop and is worth having.",
        ],
    },
    Post {
        slug: "november-colours",
        title: "The four colours of November",
        lang: "en",
        charset: Charset::Utf8,
        date: date(2024, 11, 18),
        author: "Maren Holt",
        summary: "A potter explains why all our mugs are grey, and why none of them is.",
        text: &[
            "People say the harbour is grey in winter, and then they sit down to paint it and use up the blue. \
             The first \
             glaze is the water before rain; the second is the slate of the customs house; the third is wet rope.",
            "The fourth is the sky at four in the afternoon, for about six minutes. It took two years of test \
             tiles and \
             is the one that everybody calls the plain one.",
        ],
    },
    Post {
        slug: "minato-no-tegami",
        title: "港からの手紙",
        lang: "ja",
        charset: Charset::ShiftJis,
        date: date(2025, 1, 20),
        author: "佐藤 みなと",
        summary: "姉妹港の小さな文具店から、冬のたよりが届きました。",
        text: &[
            "こちらの港は朝から雪です。船は一隻も出ませんが、店の灯台ランプは点けたままにしています。\
             窓の明かりを見て、漁師さんがお茶を飲みに来ます。",
            "お送りいただいた航海日誌は、表紙の手ざわりがとても良いと評判です。春になったら、潮見表と一緒に\
             棚のいちばん前に並べます。どうぞお元気で。",
        ],
    },
    Post {
        slug: "reading-a-barometer",
        title: "Reading a barometer without fooling yourself",
        lang: "en",
        charset: Charset::Utf8,
        date: date(2025, 2, 24),
        author: "Ines Calder",
        summary: "The needle matters less than where it was an hour ago.",
        text: &[
            "A barometer does not say what the weather is; you have a window for that. Write the figure down \
             every three \
             hours. A fall of three hectopascals between two lines means: take the washing in.",
            "A fall of six means: take the boat in. A fall of ten has happened once since we opened, and the \
             page of the \
             logbook that records it is still slightly damp.",
        ],
    },
    Post {
        slug: "names-of-places",
        title: "Postcards from Ålesund, Łeba & Ύδρα ⚓",
        lang: "en",
        charset: Charset::Utf8Bom,
        date: date(2025, 4, 7),
        author: "Zoë Ångström",
        summary: "Three harbours, three alphabets, one suitcase and no umbrella.",
        text: &[
            "In Ålesund the houses lean together as if sharing a secret. In Łeba the dunes walk: they swallowed \
             the old \
             church some time in the sixteenth century and left one wall standing, as a receipt.",
            "In Ύδρα there are no cars, so the evening is made of footsteps. I sent a card from each, and the third \
             arrived first. — Zoë",
        ],
    },
    Post {
        slug: "mending-day",
        title: "Mending day is the first Sunday",
        lang: "en",
        charset: Charset::Utf8,
        date: date(2025, 5, 19),
        author: "Tomas Reed",
        summary: "Bring what is torn; we have needles, wax and patience.",
        text: &[
            "So far: eleven sails, a kite, two accordions (bellows only), a tent with a history, and a wedding \
             dress that \
             had met a bicycle. The rule is that the owner does the last stitch.",
            "Coffee is in the enamel pot. If the pot is empty, the rule is that you know where the water is.",
        ],
    },
    Post {
        slug: "the-lens-leaves",
        title: "The big lens leaves the window",
        lang: "en",
        charset: Charset::Utf8,
        date: date(2025, 8, 11),
        author: "Maren Holt",
        summary: "Number seven is sold, and the street is darker for it.",
        text: &[
            "For a year the Fresnel lamp in our window threw a small rainbow on the post office at ten past five. The \
             postmistress set her watch by it, except in winter, when she set it by the postmistress in the next town.",
            "It has gone to a school library. Number eight is on the bench, and Tomas has promised to point it \
             the same way.",
        ],
    },
    Post {
        slug: "winter-hours",
        title: "Winter hours, and a note on \"closed\"",
        lang: "en",
        charset: Charset::Utf8,
        date: date(2025, 10, 27),
        author: "Ines Calder",
        summary: "From November we open at ten, or when the ferry does.",
        text: &[
            "Tuesday to Saturday, ten to five. If the sign says <closed> but the lamp is lit, knock: we are counting, \
             mending or arguing about the window, and would like to be interrupted.",
            "If the lamp is out, we are on the water. The bench outside is dry, the view is free, and the next \
             ferry is \
             on the board.",
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn post(slug: &str) -> &'static Post {
        POSTS.iter().find(|p| p.slug == slug).expect("in the table")
    }

    #[test]
    fn posts_are_in_the_order_of_their_dates() {
        assert!(POSTS.is_sorted_by(|a, b| a.date < b.date && a.slug != b.slug));
    }

    #[test]
    fn each_charset_reads_back_as_what_was_written() {
        for (slug, encoding) in [
            ("cafe-du-port", encoding_rs::WINDOWS_1252),
            ("minato-no-tegami", encoding_rs::SHIFT_JIS),
            ("names-of-places", encoding_rs::UTF_8),
        ] {
            let post = post(slug);
            let bytes = post.page("http://x");
            let (text, _, had_errors) = encoding.decode(&bytes);
            assert!(!had_errors, "{slug}");
            for said in post.text.iter().chain([&post.summary, &post.title]) {
                assert!(text.contains(&escape(said)), "{slug}: {said}");
            }
        }
    }

    #[test]
    fn the_old_encodings_are_not_utf8_by_accident() {
        for slug in ["cafe-du-port", "minato-no-tegami"] {
            assert!(std::str::from_utf8(&post(slug).page("http://x")).is_err(), "{slug}");
        }
        assert!(post("names-of-places").page("http://x").starts_with(b"\xEF\xBB\xBF<!DOCTYPE"));
    }

    #[test]
    fn neighbours_are_linked_both_ways() {
        let page = String::from_utf8(POSTS[1].page("http://x")).expect("a UTF-8 post");
        assert!(page.contains("<link rel=\"prev\" href=\"/journal/why-a-shop\">"));
        assert!(page.contains("<link rel=\"next\" href=\"/journal/the-cat-and-the-catalogue\">"));
        assert!(!String::from_utf8(POSTS[0].page("http://x")).expect("a UTF-8 post").contains("rel=\"prev\""));
    }
}
