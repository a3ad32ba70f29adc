//! Rules that match nothing, or not everything, in words: for the summaries of `crawl` and `extract`.

use std::fmt::Write as _;

use crate::console::text::grouped;
use seine_core::record::items::{FieldFill, Fill};

/// Fields named of one collection, those found least often first.
const FIELDS_SHOWN: usize = 8;

/// What of the collection `name` is not found everywhere, as a line of a summary; empty if all of it is.
pub fn as_text(name: &str, fill: &Fill) -> String {
    if fill.pages == 0 {
        return format!("  {name}: 0 items; match fits no page\n");
    }
    let pages = grouped(fill.pages);
    let s = if fill.pages == 1 { "" } else { "s" };
    if fill.pages_with_items == 0 {
        return format!("  {name}: 0 items on {pages} page{s} that match\n");
    }
    let mut missing: Vec<&FieldFill> = fill.fields.iter().filter(|field| field.found < field.of).collect();
    // A stable sort: fields found equally often stay in declared order.
    missing.sort_by(|a, b| rate(a).total_cmp(&rate(b)));
    let Some(first) = missing.first() else { return String::new() };
    let shown: Vec<_> =
        missing.iter().take(FIELDS_SHOWN).map(|field| format!("{} {}", field.field, percent(field))).collect();
    let mut text = format!("  {name}: {} of {}", shown.join(", "), grouped(first.of));
    if missing.len() > FIELDS_SHOWN {
        let _ = write!(text, "; {} more fields are not in every item", missing.len() - FIELDS_SHOWN);
    }
    text.push('\n');
    text
}

fn rate(field: &FieldFill) -> f64 {
    field.found as f64 / field.of.max(1) as f64
}

/// Neither "0 %" nor "100 %" of what is not quite so.
fn percent(field: &FieldFill) -> String {
    let percent = 100.0 * rate(field);
    match percent {
        _ if field.found == 0 => "0 %".to_owned(),
        _ if percent < 1.0 => "<1 %".to_owned(),
        _ if percent > 99.0 => ">99 %".to_owned(),
        _ => format!("{percent:.0} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(pages: u64, pages_with_items: u64, fields: &[(&str, u64)]) -> Fill {
        let field = |(field, found): &(&str, u64)| FieldFill { field: (*field).to_owned(), of: 3000, found: *found };
        Fill { pages, pages_with_items, fields: fields.iter().map(field).collect() }
    }

    #[test]
    fn a_rule_that_matches_nothing_is_said() {
        assert_eq!(as_text("products", &fill(0, 0, &[])), "  products: 0 items; match fits no page\n");
        assert_eq!(as_text("products", &fill(1, 0, &[("sku", 0)])), "  products: 0 items on 1 page that match\n");
        assert_eq!(
            as_text("products", &fill(1000, 900, &[("sku", 3000), ("weight", 0)])),
            "  products: weight 0 % of 3,000\n"
        );
    }

    #[test]
    fn fields_that_are_not_in_every_item_are_said_the_rarest_first_and_never_rounded_to_none_or_all() {
        let fields = [("sku", 3000), ("a", 2999), ("b", 1), ("c", 1500), ("d", 0), ("e", 0)];
        assert_eq!(
            as_text("products", &fill(1000, 900, &fields)),
            "  products: d 0 %, e 0 %, b <1 %, c 50 %, a >99 % of 3,000\n"
        );
        assert_eq!(as_text("products", &fill(1000, 1000, &[("sku", 3000)])), "");
        let many: Vec<_> = (0..10).map(|_| ("f", 0)).collect();
        assert!(as_text("p", &fill(1, 1, &many)).ends_with("f 0 % of 3,000; 2 more fields are not in every item\n"));
    }
}
