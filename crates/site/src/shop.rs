//! The shop's pages: front, shelves, products, search and the long list of spare parts.

use std::fmt::Write as _;

use serde_json::json;

use super::catalog::{CATEGORIES, Category, PRODUCTS, Product};
use super::layout::{Page, escape};

/// Products on one page of a shelf.
pub(super) const PER_PAGE: usize = 4;

/// Spare parts, each with a page of its own; the list of them has this many links and a few more.
pub(super) const PARTS: usize = 2000;

/// A link of the page about the shop to a page that is not there.
pub(super) const DEAD_LINK: &str = "/about/map";

/// The front page.
pub(super) fn home(origin: &str) -> String {
    let mut body = String::from(
        "<h1>Things for boats, tables and bad weather</h1>\n<p>A small shop in an old net loft. We sell what we use, \
         mend what we sold, and answer letters.</p>\n<h2>Shelves</h2>\n<ul class=\"grid\">\n",
    );
    for category in &CATEGORIES {
        let _ = writeln!(
            body,
            "<li class=\"card\"><a href=\"/c/{0}\"><img src=\"/img/{0}.png\" alt=\"\" width=\"320\" height=\"200\">\
             </a><h3><a href=\"/c/{0}\">{1}</a></h3><p>{2}</p></li>",
            category.slug,
            escape(category.name),
            escape(category.blurb)
        );
    }
    body.push_str("</ul>\n<h2>Well liked</h2>\n<ul class=\"grid\">\n");
    // These links carry a query that the canonical link of the product drops, as real shops' do.
    for product in PRODUCTS.iter().filter(|p| p.rating >= 48) {
        card(&mut body, product, "?ref=home");
    }
    body.push_str("</ul>");
    let url = format!("{origin}/");
    Page {
        description: "Lamps, instruments, rope, books and garden things from a small shop by the sea.",
        body: &body,
        ..page(&url, "Things for boats, tables and bad weather", &[])
    }
    .html()
}

/// What the shop is and where.
pub(super) fn about(origin: &str) -> String {
    let body = format!(
        "<h1>About the shop</h1>\n<p>Ines Calder and Tomas Reed opened the Harbour Shop in the spring of 2024. Maren Holt \
         makes the mugs; the cat makes the rules.</p>\n<dl><dt>Address</dt><dd>Old Quay 7, second door after the crane, on \
         <a href=\"{DEAD_LINK}\">this map</a></dd><dt>Hours</dt><dd>Tuesday to Saturday, ten to five</dd><dt>Letters</dt>\
         <dd><a href=\"mailto:letters@harbour-shop.example\">letters@harbour-shop.example</a></dd></dl>\n\
         <p>Read <a href=\"/journal/why-a-shop\">why we opened</a>, see the <a href=\"/terms.txt\">terms of \
         sale</a> or take the <a href=\"/api/products.json\">catalogue as data</a>.</p>"
    );
    let url = format!("{origin}/about");
    Page {
        description: "Who we are, where to find us and when the door is open.",
        body: &body,
        ..page(&url, "About the shop", &home_crumb())
    }
    .html()
}

/// The page that only the sitemap names.
pub(super) fn wholesale(origin: &str) -> String {
    let body = "<h1>For other shops</h1>\n<p>From a dozen of anything on, ask Tomas. No page of ours links here, since \
                most who follow a link want a single mug.</p>";
    let url = format!("{origin}/wholesale");
    Page { description: "By the dozen.", body, ..page(&url, "For other shops", &home_crumb()) }.html()
}

/// Page `number` (from 1) of a shelf; `None` if the shelf is not that long.
pub(super) fn shelf(origin: &str, category: &Category, number: usize) -> Option<String> {
    let products: Vec<_> = PRODUCTS.iter().filter(|p| p.category().slug == category.slug).collect();
    let start = number.checked_sub(1)?.checked_mul(PER_PAGE)?;
    let shown = products.get(start..)?.iter().take(PER_PAGE);
    if shown.len() == 0 {
        return None;
    }
    let path = |n: usize| match n {
        1 => format!("/c/{}", category.slug),
        n => format!("/c/{}?page={n}", category.slug),
    };
    let mut body =
        format!("<h1>{}</h1>\n<p>{}</p>\n<ul class=\"grid\">\n", escape(category.name), escape(category.blurb));
    for product in shown {
        card(&mut body, product, "");
    }
    body.push_str("</ul>\n<p class=\"pager\">");
    let (mut head, crumbs) = (String::new(), home_crumb());
    let has_more = start + PER_PAGE < products.len();
    for (rel, there, target) in [("prev", number > 1, number - 1), ("next", has_more, number + 1)] {
        if there {
            let _ = writeln!(head, "<link rel=\"{rel}\" href=\"{}\">", path(target));
            let _ = write!(body, "<a rel=\"{rel}\" href=\"{}\">Page {target}</a> ", path(target));
        }
    }
    body.push_str("</p>");
    let url = format!("{origin}{}", path(number));
    let frame = page(&url, category.name, &crumbs);
    Some(Page { description: category.blurb, head: &head, body: &body, ..frame }.html())
}

/// The page of one product.
pub(super) fn product(origin: &str, product: &Product) -> String {
    let url = format!("{origin}/p/{}", product.slug());
    let image = format!("/img/{}.png", product.sku().to_lowercase());
    let category = product.category();
    let data = json!({
        "@context": "https://schema.org",
        "@type": "Product",
        "name": product.name,
        "sku": product.sku(),
        "category": category.name,
        "description": product.blurb.join(" "),
        "image": format!("{origin}{image}"),
        "offers": {
            "@type": "Offer",
            "url": url,
            "price": product.plain_price(),
            "priceCurrency": "USD",
            "availability": format!("https://schema.org/{}", if product.stock > 0 { "InStock" } else { "OutOfStock" }),
        },
        "aggregateRating": {
            "@type": "AggregateRating",
            "ratingValue": product.stars(),
            "reviewCount": product.reviews,
        },
    });
    // Inside <script> entities mean nothing, so "<" is written in JSON's own way.
    let data = data.to_string().replace('<', "\\u003c");
    let head = format!("<script type=\"application/ld+json\">{data}</script>\n");

    let mut body = format!(
        "<div class=\"product\">\n<img class=\"main\" src=\"{image}\" alt=\"{0}\" width=\"320\" height=\"200\">\n<div>\
         <h1>{0}</h1>\n<p class=\"price\">{1}</p>\n<p class=\"rating\">{2} out of 5 stars</p>\n\
         <p class=\"reviews\">{3} reviews</p>\n<p class=\"stock\">{4}</p>\n<p class=\"meta\">SKU \
         <span class=\"sku\">{5}</span></p>\n<p class=\"description\">{6} {7}</p>\n<p class=\"tags\">",
        escape(product.name),
        product.price(),
        product.stars(),
        product.reviews,
        product.stock_text(),
        product.sku(),
        escape(product.blurb[0]),
        escape(product.blurb[1]),
    );
    for tag in product.tags {
        let _ = write!(body, "<a class=\"tag\" href=\"/search?q={}\">{tag}</a> ", tag.replace(' ', "+"));
    }
    body.push_str("</p></div>\n</div>\n<h2>Specifications</h2>\n<table class=\"specs\">\n<tbody>\n");
    for (name, value) in product.specs {
        let _ = writeln!(body, "<tr><th scope=\"row\">{}</th><td>{}</td></tr>", escape(name), escape(value));
    }
    body.push_str("</tbody>\n</table>\n<h2>From the same shelf</h2>\n<ul class=\"grid\">\n");
    for other in PRODUCTS.iter().filter(|p| p.category == product.category && p.name != product.name).take(3) {
        card(&mut body, other, "");
    }
    body.push_str("</ul>");
    let crumbs = [("/".to_owned(), "Shop"), (format!("/c/{}", category.slug), category.name)];
    Page { description: product.blurb[0], head: &head, body: &body, ..page(&url, product.name, &crumbs) }.html()
}

/// Products whose name or tags contain `query`, whatever its case.
pub(super) fn search(origin: &str, query: &str) -> String {
    let wanted = query.trim().to_lowercase();
    let all = if wanted.is_empty() { &[][..] } else { &PRODUCTS[..] };
    let found: Vec<_> = all
        .iter()
        .filter(|p| p.name.to_lowercase().contains(&wanted) || p.tags.iter().any(|t| t.contains(&wanted)))
        .collect();
    let mut body = format!(
        "<h1>Search: {}</h1>\n<p class=\"count\">{} of {} products</p>\n<ul class=\"grid\">\n",
        escape(query),
        found.len(),
        PRODUCTS.len()
    );
    for product in found {
        card(&mut body, product, "");
    }
    body.push_str("</ul>");
    let head = "<meta name=\"robots\" content=\"noindex, follow\">\n";
    let url = format!("{origin}/search");
    Page { head, body: &body, ..page(&url, &format!("Search: {query}"), &home_crumb()) }.html()
}

/// The list of all spare parts: a page of two thousand links.
pub(super) fn parts(origin: &str) -> String {
    let mut body = format!(
        "<h1>Spare parts</h1>\n<p>{PARTS} small things in {PARTS} small drawers.</p>\n<ul class=\"columns\">\n"
    );
    for number in 1..=PARTS {
        let _ = writeln!(body, "<li><a href=\"/parts/{number:04}\">{}</a></li>", part_name(number));
    }
    body.push_str("</ul>");
    let url = format!("{origin}/parts");
    Page {
        description: "Two thousand small things in two thousand small drawers.",
        body: &body,
        ..page(&url, "Spare parts", &home_crumb())
    }
    .html()
}

/// The page of spare part `number` (from 1); `None` if there is no such drawer.
pub(super) fn part(origin: &str, number: usize) -> Option<String> {
    if !(1..=PARTS).contains(&number) {
        return None;
    }
    let name = part_name(number);
    let body = format!(
        "<h1>{name}</h1>\n<p class=\"price\">${}.{:02}</p>\n<p>Drawer <span class=\"sku\">{number:04}</span>, \
         row {}.</p>",
        number % 9,
        (number * 35) % 100,
        number.div_ceil(50)
    );
    let crumbs = [("/".to_owned(), "Shop"), ("/parts".to_owned(), "Spare parts")];
    let url = format!("{origin}/parts/{number:04}");
    Some(Page { body: &body, ..page(&url, &name, &crumbs) }.html())
}

/// Names the part in drawer `number`: material, kind and size all differ between neighbours.
fn part_name(number: usize) -> String {
    const MATERIALS: [&str; 5] = ["Brass", "Bronze", "Steel", "Copper", "Nylon"];
    const KINDS: [&str; 16] = [
        "screw",
        "washer",
        "shackle",
        "hinge",
        "grommet",
        "cleat",
        "burner ring",
        "wick holder",
        "snap hook",
        "thimble",
        "split pin",
        "bush",
        "fairlead",
        "eye bolt",
        "toggle",
        "ferrule",
    ];
    let n = number - 1;
    let (material, kind) = (MATERIALS[n % MATERIALS.len()], KINDS[n / MATERIALS.len() % KINDS.len()]);
    format!("{material} {kind}, {} mm", 3 + n / (MATERIALS.len() * KINDS.len()))
}

/// One product in a grid.
fn card(out: &mut String, product: &Product, query: &str) {
    let _ = writeln!(
        out,
        "<li class=\"card\"><img src=\"/img/{}.png\" alt=\"\" width=\"320\" height=\"200\"><h3><a \
         href=\"/p/{}{query}\">{}</a></h3><p><span class=\"price\">{}</span> <span class=\"stock\">{}</span></p></li>",
        product.sku().to_lowercase(),
        product.slug(),
        escape(product.name),
        product.price(),
        product.stock_text()
    );
}

fn home_crumb() -> [(String, &'static str); 1] {
    [("/".to_owned(), "Shop")]
}

/// The frame of a shop page at `url`, to be filled.
fn page<'a>(url: &'a str, title: &'a str, crumbs: &'a [(String, &'a str)]) -> Page<'a> {
    Page { charset: "utf-8", title, canonical: url, crumbs, ..Page::default() }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn sold(name: &str) -> &'static Product {
        PRODUCTS.iter().find(|p| p.name == name).expect("in the table")
    }

    #[test]
    fn a_product_page_carries_every_field_a_rule_can_ask_for() {
        let html = product("http://x", sold("Fresnel Lens Floor Lamp"));
        for part in [
            "<title>Fresnel Lens Floor Lamp | The Harbour Shop</title>",
            "<h1>Fresnel Lens Floor Lamp</h1>",
            "<p class=\"price\">$1,299.00</p>",
            "<p class=\"rating\">4.9 out of 5 stars</p>",
            "<p class=\"stock\">Only 1 left</p>",
            "<span class=\"sku\">HS-105</span>",
            "<a class=\"tag\" href=\"/search?q=glass\">glass</a>",
            "<table class=\"specs\">",
            "<img class=\"main\" src=\"/img/hs-105.png\"",
            "<link rel=\"canonical\" href=\"http://x/p/fresnel-lens-floor-lamp\">",
            "<nav class=\"crumbs\" aria-label=\"Breadcrumb\"><a href=\"/\">Shop</a> &rsaquo; <a href=\"/c/lamps\">",
        ] {
            assert!(html.contains(part), "{part}");
        }
    }

    #[test]
    fn the_json_ld_block_of_every_product_is_json() {
        for sold in &PRODUCTS {
            let html = product("http://x", sold);
            let start = html.find("ld+json\">").expect("a block") + "ld+json\">".len();
            let end = start + html[start..].find("</script>").expect("its end");
            let data: serde_json::Value = serde_json::from_str(&html[start..end]).expect("JSON");
            assert_eq!(data["sku"], sold.sku());
            assert_eq!(data["offers"]["price"], sold.plain_price());
        }
    }

    #[test]
    fn a_shelf_ends_where_its_products_do() {
        let lamps = &CATEGORIES[0];
        let (first, second) = (shelf("", lamps, 1).expect("page 1"), shelf("", lamps, 2).expect("page 2"));
        assert!(first.contains("<link rel=\"next\" href=\"/c/lamps?page=2\">") && !first.contains("rel=\"prev\""));
        assert!(second.contains("<link rel=\"prev\" href=\"/c/lamps\">") && !second.contains("rel=\"next\""));
        assert_eq!((shelf("", lamps, 0), shelf("", lamps, 3), shelf("", lamps, usize::MAX)), (None, None, None));
    }

    #[test]
    fn search_finds_by_name_and_by_tag_and_escapes_what_was_asked() {
        assert!(search("", "LANTERN").contains("Anchor Lantern"));
        assert!(search("", "weather").contains("Tide Clock"));
        assert!(search("", "<script>").contains("0 of 40 products"));
        assert!(!search("", "<b>").contains("<b>"));
    }

    #[test]
    fn two_thousand_parts_have_two_thousand_names() {
        assert_eq!((1..=PARTS).map(part_name).collect::<HashSet<_>>().len(), PARTS);
        assert_eq!(parts("").matches("<li><a href=\"/parts/").count(), PARTS);
        assert!(part("", PARTS).is_some() && part("", 0).is_none() && part("", PARTS + 1).is_none());
    }
}
