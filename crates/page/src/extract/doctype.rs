//! Which doctypes ask for quirks mode.

/// Whether a doctype asks for quirks mode, in which a table does not end a paragraph.
pub fn has_quirks(doctype: &str) -> bool {
    // The families of the standard's list that are found in the wild.
    const OLD: [&str; 8] = [
        "-//ietf//dtd html",
        "-//netscape comm. corp.//dtd",
        "-//o'reilly and associates//dtd html",
        "-//softquad",
        "-//w3c//dtd html 3",
        "-//w3c//dtd html 4.0 frameset//",
        "-//w3c//dtd html 4.0 transitional//",
        "-//w3o//dtd w3 html",
    ];
    const OLD_WITHOUT_SYSTEM: [&str; 2] = ["-//w3c//dtd html 4.01 frameset//", "-//w3c//dtd html 4.01 transitional//"];
    let doctype = doctype.trim_ascii().to_ascii_lowercase();
    let Some(ids) =
        doctype.strip_prefix("html").filter(|ids| ids.is_empty() || ids.starts_with([' ', '\t', '\n', '\r']))
    else {
        return true;
    };
    let mut quoted = ids.split(['"', '\'']).skip(1).step_by(2);
    let (public, system) = (quoted.next().unwrap_or_default(), quoted.next());
    if !ids.trim_ascii_start().starts_with("public") {
        return false;
    }
    OLD.iter().any(|old| public.starts_with(old))
        || system.is_none() && OLD_WITHOUT_SYSTEM.iter().any(|old| public.starts_with(old))
}

#[cfg(test)]
mod tests {
    use super::has_quirks;

    #[test]
    fn old_doctypes_ask_for_quirks_and_those_of_today_do_not() {
        for doctype in [
            " html",
            " HTML\n",
            "html system 'about:legacy-compat'",
            " html PUBLIC '-//W3C//DTD XHTML 1.0 Strict//EN' 'x'",
        ] {
            assert!(!has_quirks(doctype), "{doctype}");
        }
        for doctype in [
            "",
            " svg",
            " htmlx",
            " html public '-//W3C//DTD HTML 3.2 Final//EN'",
            " html public \"-//IETF//DTD HTML//EN\"",
        ] {
            assert!(has_quirks(doctype), "{doctype}");
        }
    }
}
