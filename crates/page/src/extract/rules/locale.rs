//! How countries write numbers and dates.

/// A country's conventions; by default those of English, with the rest of the world where it cannot be misread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Locale {
    /// One of [`LOCALES`]; `None`: the rule names no locale.
    pub(super) language: Option<&'static str>,
    pub(super) decimal: char,
    /// Stands before one or two decimals too, and never between groups.
    pub(super) second_decimal: Option<char>,
    /// Between groups of digits; all groups of a number have the same. Apostrophes and no-break spaces, which cannot
    /// be anything else, are allowed in every locale.
    pub(super) groups: &'static [char],
    /// Groups of two digits before the last of three, as in India.
    pub(super) pairs: bool,
    /// Whether the month comes first in 05/06/2024; `None`: the rule does not say.
    pub(super) month_first: Option<bool>,
}

/// Names of locales; a country may follow (`de-AT`).
pub const LOCALES: [&str; 53] = [
    "en", "us", "gb", "in", "ch", "de", "at", "fr", "es", "it", "nl", "pt", "br", "da", "sv", "no", "nb", "nn", "fi",
    "is", "pl", "cs", "sk", "sl", "hr", "sr", "bg", "hu", "ro", "el", "tr", "ru", "uk", "lt", "lv", "et", "ca", "gl",
    "eu", "af", "sw", "ar", "fa", "he", "hi", "bn", "th", "vi", "id", "ms", "zh", "ja", "ko",
];

/// Spanish-speaking countries that write numbers as English does.
const POINT_IN_SPANISH: [&str; 12] = ["mx", "us", "pr", "gt", "hn", "ni", "sv", "pa", "do", "pe", "cu", "419"];

impl Default for Locale {
    fn default() -> Self {
        Self { language: None, decimal: '.', second_decimal: None, groups: &[','], pairs: false, month_first: None }
    }
}

impl Locale {
    /// The locale of that name; one of [`LOCALES`], whatever its case, also with a country behind it.
    pub fn named(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let (language, country) = name.split_once(['-', '_']).unwrap_or((&name, ""));
        let language = LOCALES.into_iter().find(|known| *known == language)?;
        let is = |known: &str| language == known || country == known;
        let point = Self { language: Some(language), month_first: Some(false), ..Self::default() };
        Some(if is("ch") || country == "li" {
            Self { second_decimal: Some(','), groups: &['\'', ' '], ..point }
        } else if is("in") || matches!(language, "hi" | "bn") {
            Self { pairs: true, ..point }
        } else if language == "en" && country == "za" {
            Self { second_decimal: Some(','), groups: &[',', ' '], ..point }
        } else if matches!(language, "en" | "us" | "gb") {
            let month_first = language == "us" || language == "en" && matches!(country, "" | "us");
            Self { month_first: Some(month_first), ..point }
        } else if matches!(language, "zh" | "ja" | "ko") {
            Self { month_first: None, ..point }
        } else if matches!(language, "th" | "he" | "ms" | "ar" | "fa" | "sw")
            || language == "es" && POINT_IN_SPANISH.contains(&country)
        {
            point
        } else {
            Self { decimal: ',', groups: &['.', ' ', '\''], ..point }
        })
    }
}
