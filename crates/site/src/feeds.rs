//! Pages for machines: robots.txt, sitemap, RSS, the JSON catalogue and the terms as plain text.

use std::fmt::Write as _;

use jiff::civil::time;
use serde_json::json;

use super::catalog::{CATEGORIES, PRODUCTS};
use super::journal::POSTS;
use super::layout::escape;

/// The terms of sale.
pub(super) const TERMS: &str = "\
THE HARBOUR SHOP: TERMS OF SALE

1. What you see is what we have. If it is out of stock, we will tell you when it is not.
2. Bring back anything within thirty days, dry if possible.
3. We mend what we sold, for as long as one of us can hold a needle.
4. Prices include the knot.
5. The cat is not for sale.
";

/// All is allowed but `/private/`.
pub(super) fn robots(origin: &str) -> String {
    format!("# Welcome. Please wipe your feet.\nUser-agent: *\nDisallow: /private/\n\nSitemap: {origin}/sitemap.xml\n")
}

/// Every page worth finding; posts with the day they were written.
pub(super) fn sitemap(origin: &str) -> String {
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n",
    );
    let plain = ["/", "/about", "/journal", "/journal/archive", "/parts", "/wholesale"].map(str::to_owned);
    let shelves = CATEGORIES.iter().map(|c| format!("/c/{}", c.slug));
    let products = PRODUCTS.iter().map(|p| format!("/p/{}", p.slug()));
    for path in plain.into_iter().chain(shelves).chain(products) {
        let _ = writeln!(out, "<url><loc>{}</loc></url>", escape(&format!("{origin}{path}")));
    }
    for post in &POSTS {
        let loc = escape(&format!("{origin}{}", post.path()));
        let _ = writeln!(out, "<url><loc>{loc}</loc><lastmod>{}</lastmod></url>", post.date);
    }
    out.push_str("</urlset>\n");
    out
}

/// The journal as RSS 2.0, newest first.
pub(super) fn rss(origin: &str) -> String {
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\"><channel>\n<title>The Harbour \
         Journal</title>\n\
         <link>{0}/journal</link>\n<description>Notes from behind the counter.</description>\n",
        escape(origin)
    );
    for post in POSTS.iter().rev() {
        let url = escape(&format!("{origin}{}", post.path()));
        let _ = writeln!(
            out,
            "<item><title>{}</title><link>{url}</link><guid>{url}</guid><pubDate>{}</pubDate><description>{}\
             </description></item>",
            escape(post.title),
            post.date.to_datetime(time(9, 0, 0, 0)).strftime("%a, %d %b %Y %H:%M:%S +0000"),
            escape(post.summary)
        );
    }
    out.push_str("</channel></rss>\n");
    out
}

/// The whole catalogue as JSON.
pub(super) fn catalogue(origin: &str) -> String {
    let products: Vec<_> = PRODUCTS
        .iter()
        .map(|p| {
            json!({
                "sku": p.sku(),
                "name": p.name,
                "category": p.category().slug,
                "price_cents": p.cents,
                "currency": "USD",
                "rating": f64::from(p.rating) / 10.0,
                "reviews": p.reviews,
                "stock": p.stock,
                "tags": p.tags,
                "url": format!("{origin}/p/{}", p.slug()),
            })
        })
        .collect();
    json!({ "count": products.len(), "products": products }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sitemap_names_every_product_and_post() {
        let map = sitemap("http://x");
        assert_eq!(map.matches("<loc>").count(), 6 + CATEGORIES.len() + PRODUCTS.len() + POSTS.len());
        assert!(map.contains("<loc>http://x/journal/winter-hours</loc><lastmod>2025-10-27</lastmod>"));
    }

    #[test]
    fn the_feed_writes_dates_as_mail_does() {
        assert!(rss("http://x").contains("<pubDate>Mon, 04 Mar 2024 09:00:00 +0000</pubDate>"));
    }

    #[test]
    fn the_catalogue_is_json_with_every_product() {
        let data: serde_json::Value = serde_json::from_str(&catalogue("http://x")).expect("JSON");
        assert_eq!(data["products"].as_array().expect("a list").len(), PRODUCTS.len());
        assert_eq!(data["products"][8]["url"], "http://x/p/caf%C3%A9-table-zinc-top");
    }
}
