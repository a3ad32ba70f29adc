//! What the Harbour Shop sells, and how a product's path, number and price are written.

pub(super) use super::goods::PRODUCTS;

/// One shelf of the shop.
pub(super) struct Category {
    /// Path segment, unique.
    pub slug: &'static str,
    /// Heading.
    pub name: &'static str,
    /// First digit of the SKUs on this shelf.
    pub series: u32,
    /// A sentence under the heading.
    pub blurb: &'static str,
    /// Hue of its pictures: red, green, blue.
    pub colour: [u8; 3],
}

/// One thing for sale.
#[derive(Clone, Copy)]
pub(super) struct Product {
    /// Index into [`CATEGORIES`].
    pub category: usize,
    /// Name as printed; the path segment is made from it, so it is unique.
    pub name: &'static str,
    /// Price in US cents.
    pub cents: u32,
    /// Rating in tenths of a star.
    pub rating: u32,
    /// How many people gave that rating.
    pub reviews: u32,
    /// Pieces on the shelf; 0 is out of stock.
    pub stock: u32,
    /// Search words, in page order.
    pub tags: &'static [&'static str],
    /// Two sentences for the product page; the first is its meta description.
    pub blurb: [&'static str; 2],
    /// Rows of the specification table.
    pub specs: &'static [(&'static str, &'static str)],
}

/// The shelf that a sale makes cheaper.
const ON_SALE: &str = "books";

impl Product {
    /// The same thing while there is a sale: a fifth cheaper if it is one of the shelf for which there is one.
    pub fn in_sale(&self) -> Self {
        let cents = if self.category().slug == ON_SALE { self.cents / 5 * 4 } else { self.cents };
        Self { cents, ..*self }
    }

    /// Path segment: lower-case words joined by dashes, percent-encoded where not ASCII.
    pub fn slug(&self) -> String {
        slug(self.name)
    }

    /// Stock-keeping unit, such as `HS-304`: shelf series, then the place on that shelf.
    pub fn sku(&self) -> String {
        let place = PRODUCTS.iter().filter(|p| p.category == self.category).take_while(|p| p.name != self.name).count();
        format!("HS-{}{:02}", self.category().series, place + 1)
    }

    /// The shelf it stands on.
    pub fn category(&self) -> &'static Category {
        &CATEGORIES[self.category]
    }

    /// The price for people, such as `$1,299.00`.
    pub fn price(&self) -> String {
        let (dollars, cents) = (self.cents / 100, self.cents % 100);
        match dollars / 1000 {
            0 => format!("${dollars}.{cents:02}"),
            thousands => format!("${thousands},{:03}.{cents:02}", dollars % 1000),
        }
    }

    /// The price for machines, such as `1299.00`.
    pub fn plain_price(&self) -> String {
        format!("{}.{:02}", self.cents / 100, self.cents % 100)
    }

    /// The rating as a decimal number, such as `4.5`.
    pub fn stars(&self) -> String {
        format!("{}.{}", self.rating / 10, self.rating % 10)
    }

    /// Availability in words.
    pub fn stock_text(&self) -> String {
        match self.stock {
            0 => "Out of stock".to_owned(),
            1..=3 => format!("Only {} left", self.stock),
            n => format!("In stock ({n} available)"),
        }
    }
}

/// The path segment of a printed name.
fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if c.is_alphanumeric() {
            let mut utf8 = [0; 4];
            slug.extend(c.encode_utf8(&mut utf8).bytes().map(|b| format!("%{b:02X}")));
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

/// The shelves, in the order of the menu.
pub(super) const CATEGORIES: [Category; 6] = [
    Category {
        slug: "lamps",
        name: "Lamps & Lanterns",
        series: 1,
        blurb: "Light for the chart table, the porch and the long way home from the pier.",
        colour: [226, 160, 62],
    },
    Category {
        slug: "galley",
        name: "Galley & Table",
        series: 2,
        blurb: "Pots that stay put and cups that survive a swell.",
        colour: [178, 84, 58],
    },
    Category {
        slug: "instruments",
        name: "Charts & Instruments",
        series: 3,
        blurb: "For knowing where you are, or at least where you were.",
        colour: [58, 104, 150],
    },
    Category {
        slug: "rope",
        name: "Rope & Canvas",
        series: 4,
        blurb: "Everything that ties, folds, carries or keeps the rain out.",
        colour: [120, 132, 84],
    },
    Category {
        slug: "books",
        name: "Books & Paper",
        series: 5,
        blurb: "Logbooks, tide tables and stories for a harbour day.",
        colour: [128, 82, 120],
    },
    Category {
        slug: "garden",
        name: "Quay & Garden",
        series: 6,
        blurb: "Things that look better after one winter outside.",
        colour: [66, 136, 112],
    },
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_product_has_its_own_path_and_sku() {
        let slugs: HashSet<_> = PRODUCTS.iter().map(Product::slug).collect();
        let skus: HashSet<_> = PRODUCTS.iter().map(Product::sku).collect();
        assert_eq!((slugs.len(), skus.len()), (PRODUCTS.len(), PRODUCTS.len()));
    }

    #[test]
    fn every_shelf_has_two_pages_of_products() {
        for (place, category) in CATEGORIES.iter().enumerate() {
            let count = PRODUCTS.iter().filter(|p| p.category == place).count();
            assert!((6..=8).contains(&count), "{}: {count}", category.name);
        }
    }

    #[test]
    fn prices_and_paths_read_as_people_write_them() {
        let by_name = |name: &str| PRODUCTS.iter().find(|p| p.name == name).expect("in the table");
        assert_eq!(by_name("Fresnel Lens Floor Lamp").price(), "$1,299.00");
        assert_eq!(by_name("Monkey's Fist Key Ring").price(), "$9.50");
        assert_eq!(by_name("Café Table, Zinc Top").slug(), "caf%C3%A9-table-zinc-top");
        assert_eq!(by_name("Sextant, Restored").sku(), "HS-303");
        assert_eq!(by_name("Brass Telescope, 20×").slug(), "brass-telescope-20");
    }
}
