"""Words, sentences and the likely language of each page, with nothing but Python's standard library."""
import json
import re
import sys
from html.parser import HTMLParser

COMMON = {
    "en": {"the", "and", "of", "to", "in", "is", "that", "for", "with", "you"},
    "de": {"der", "die", "und", "das", "nicht", "ist", "mit", "ein", "zu", "auf"},
    "fr": {"le", "la", "les", "et", "des", "est", "pas", "une", "pour", "dans"},
    "es": {"el", "los", "y", "que", "por", "una", "con", "para", "del", "se"},
}


class Text(HTMLParser):
    def __init__(self):
        super().__init__()
        self.parts, self.hidden = [], 0

    def handle_starttag(self, tag, attrs):
        self.hidden += tag in ("script", "style")

    def handle_endtag(self, tag):
        self.hidden -= tag in ("script", "style") and self.hidden > 0

    def handle_data(self, data):
        if not self.hidden:
            self.parts.append(data)


for line in sys.stdin:
    page = json.loads(line)
    html = Text()
    html.feed(page.get("body", ""))
    text = " ".join(html.parts)
    words = re.findall(r"[^\W\d_]+", text.lower())
    hits = {lang: sum(word in common for word in words) for lang, common in COMMON.items()}
    best = max(hits, key=hits.get)
    answer = {
        "lang": best if hits[best] else None,
        "words": len(words),
        "different": len(set(words)),
        "sentences": len(re.findall(r"[.!?]+(?:\s|$)", text)),
    }
    # One line for each line, at once: an answer that waits in a buffer is an answer that never comes.
    print(json.dumps(answer), flush=True)
