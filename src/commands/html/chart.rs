//! Charts as inline SVG. Widths are shares of the page and heights are pixels, so that letters keep their size on a
//! screen of any width.

use std::fmt::Write as _;

use super::Markup;
use crate::console::text::grouped;

/// Height of the columns themselves, in pixels, and of the room above and below them for letters.
const PLOT: f64 = 120.0;
const ABOVE: f64 = 22.0;
const BELOW: f64 = 24.0;
/// A column with the gap beside it is at most so wide, in pixels.
const WIDEST: usize = 72;
/// With more columns than this not each has its number and name.
const FEW: usize = 12;

/// A part of a whole.
pub(in crate::commands) struct Part {
    pub name: String,
    pub count: u64,
    /// The colour: `good`, `bad`, `warn`, `plain` or `pale`.
    pub class: &'static str,
}

/// Parts of a whole as one bar, with a legend.
pub(in crate::commands) fn shares(parts: &[Part]) -> Markup {
    let all: u64 = parts.iter().map(|part| part.count).sum();
    let (mut bars, mut legend, mut at) = (String::new(), Markup::default(), 0.0);
    for Part { name, count, class } in parts.iter().filter(|part| part.count > 0) {
        let share = *count as f64 / all as f64 * 100.0;
        // However few there are, they are seen.
        let width = share.max(0.4);
        let name = Markup::text(name);
        let count = grouped(*count);
        let _ = write!(
            bars,
            "<rect class=\"{class}\" x=\"{at:.2}%\" width=\"{width:.2}%\" height=\"12\"><title>{name}: {count}</title></rect>"
        );
        at += share;
        let key = Markup::default().within("i", class);
        let number = Markup::text(&count).within("b", "");
        legend.push(key.with(&name).with(&Markup::raw(" ")).with(&number).within("li", ""));
    }
    let bar = format!("<svg class=\"shares\" aria-hidden=\"true\" width=\"100%\" height=\"12\">{bars}</svg>");
    Markup::trusted(bar).with(&legend.within("ul", "legend"))
}

/// One column, of one or two parts on top of each other, the lower one first.
pub(in crate::commands) struct Bar {
    /// Below it.
    pub name: String,
    /// Shown when somebody points at it.
    pub hint: String,
    /// How much of which colour.
    pub parts: [(u64, &'static str); 2],
}

impl Bar {
    fn height(&self) -> u64 {
        self.parts.iter().map(|(count, _)| count).sum()
    }
}

/// Columns side by side; `label` says what they show.
pub(in crate::commands) fn columns(label: &str, bars: &[Bar]) -> Markup {
    let highest = bars.iter().map(Bar::height).max().unwrap_or(0);
    if highest == 0 {
        return Markup::default();
    }
    let slot = 100.0 / bars.len() as f64;
    let every = bars.len().div_ceil(FEW);
    let base = ABOVE + PLOT;
    let mut drawn = String::new();
    for (at, bar) in bars.iter().enumerate() {
        let left = slot * at as f64;
        let middle = left + slot / 2.0;
        let mut top = base;
        let _ = write!(drawn, "<g><title>{}</title>", Markup::text(&bar.hint));
        for (count, class) in bar.parts.iter().filter(|(count, _)| *count > 0) {
            let height = (*count as f64 / highest as f64 * PLOT).max(1.0);
            top -= height;
            let (x, width) = (left + slot * 0.14, slot * 0.72);
            let _ = write!(
                drawn,
                "<rect class=\"{class}\" x=\"{x:.2}%\" y=\"{top:.1}\" width=\"{width:.2}%\" height=\"{height:.1}\"/>"
            );
        }
        let is_last = at + 1 == bars.len();
        let has_name = is_last || at.is_multiple_of(every) && at + every < bars.len();
        if has_name {
            let (name, y) = (Markup::text(&bar.name), base + 17.0);
            let _ = write!(drawn, "<text class=\"name\" x=\"{middle:.2}%\" y=\"{y}\">{name}</text>");
        }
        if bars.len() <= FEW && bar.height() > 0 {
            let (number, y) = (short(bar.height()), top - 6.0);
            let _ = write!(drawn, "<text x=\"{middle:.2}%\" y=\"{y:.1}\">{number}</text>");
        }
        drawn.push_str("</g>");
    }
    let (height, widest, label) = (base + BELOW, bars.len() * WIDEST, Markup::text(label));
    Markup::trusted(format!(
        "<svg class=\"columns\" role=\"img\" aria-label=\"{label}\" width=\"100%\" height=\"{height}\" \
         style=\"max-width:{widest}px\">{drawn}<line x1=\"0\" x2=\"100%\" y1=\"{base}\" y2=\"{base}\"/></svg>"
    ))
}

/// A number in four letters or so: `950`, `1.2k`, `34k`, `5.6M`.
fn short(number: u64) -> String {
    let scaled = |unit: f64, name: &str| {
        let value = number as f64 / unit;
        if value < 9.95 { format!("{value:.1}{name}") } else { format!("{value:.0}{name}") }
    };
    match number {
        0..1000 => number.to_string(),
        1000..999_500 => scaled(1e3, "k"),
        999_500..999_500_000 => scaled(1e6, "M"),
        _ => scaled(1e9, "G"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_above_columns_are_short() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1.0k"),
            (12_345, "12k"),
            (999_499, "999k"),
            (999_500, "1.0M"),
            (5_600_000_000, "5.6G"),
        ] {
            assert_eq!(short(number), text);
        }
    }

    #[test]
    fn a_chart_of_hostile_names_is_still_one() {
        let bar = |count| Bar { name: "<x>".into(), hint: "\"".into(), parts: [(count, "good"), (0, "bad")] };
        let html = columns("a<b", &[bar(1), bar(u64::MAX / 4)]).to_string();
        assert!(!html.contains("<x>") && html.contains("&lt;x&gt;") && html.contains("a&lt;b"), "{html}");
        assert!(html.matches("<rect").count() == 2, "{html}");
        assert!(columns("nothing", &[bar(0)]).is_empty());
        let parts = [
            Part { name: "ok".into(), count: 999_999, class: "good" },
            Part { name: "bad".into(), count: 1, class: "bad" },
        ];
        assert!(shares(&parts).to_string().contains("width=\"0.40%\""), "one in a million is seen");
    }
}
