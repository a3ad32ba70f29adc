#!/usr/bin/env python3
"""Learns the forest of ../src/extract/select/model.bin from pages with annotated main text. See README.md.

  train.py --runs PROGRAM --work FOLDER [--folds 3] [--write MODEL.bin] SET...

A SET is a folder with pages.warc (one response a page) and gold.jsonl (line n is of page n): {"url", "text"} with the
whole main text, or {"url", "with": [...], "without": [...]} with parts that belong to it and parts that do not.
"""
import argparse, hashlib, json, os, re, struct, subprocess, time
from collections import Counter, defaultdict
from urllib.parse import urlsplit
import lightgbm as lgb
import numpy as np

WORD = re.compile(r"\w+")
TREES, LEAVES, DEPTH = 120, 24, 6
PARAMETERS = dict(
    objective="cross_entropy", learning_rate=0.1, num_leaves=LEAVES, max_depth=DEPTH, max_bin=63, feature_fraction=0.3,
    bagging_fraction=0.7, bagging_freq=1, min_data_in_leaf=40, min_sum_hessian_in_leaf=0.05, lambda_l2=3.0,
    seed=1, deterministic=True, force_col_wise=True, num_threads=1, verbose=-1,
)


def words(text):
    return WORD.findall(text.lower())


def grams(w, n):
    return zip(*(w[i:] for i in range(n)))


def labels_of_text(texts, gold):
    """The share of each run that stands in `gold`. Long runs are told by their 4-grams; short ones stand there as a line
    of their own, or together with a neighbour, at most as often as `gold` has them: then those nearest to the long ones."""
    g = {n: Counter(grams(words(gold), n)) for n in (1, 2, 3, 4)}
    lines = Counter(" ".join(words(line)) for line in gold.split("\n"))
    ws = [words(t) for t in texts]
    y, short = np.zeros(len(texts)), defaultdict(list)
    for i, w in enumerate(ws):
        if len(w) >= 6:
            cover = np.zeros(len(w), bool)
            for j, gram in enumerate(grams(w, 4)):
                if gram in g[4]:
                    cover[j:j + 4] = True
            y[i] = cover.mean()
        elif w:
            short[" ".join(w)].append(i)
    sure = np.flatnonzero(y > 0.5)
    far = lambda i: np.abs(sure - i).min() if len(sure) else 0
    for key, runs in short.items():
        w = key.split(" ")
        have = g[len(w)].get(tuple(w), 0) if len(w) <= 4 else min((g[4].get(x, 0) for x in grams(w, 4)), default=0)
        count = lines.get(key, 0)
        if not count and have:
            for i in runs:
                beside = [tuple((ws[i - 1][-2:] + w)[-4:])] if i and ws[i - 1] else []
                beside += [tuple((w + ws[i + 1][:2])[:4])] if i + 1 < len(ws) and ws[i + 1] else []
                count += any(b in g[len(b)] for b in beside)
            count = min(count, have) or (have if len(w) >= 3 else 0)
        for i in sorted(runs, key=far)[:count]:
            y[i] = 1.0
    return y


def labels_of_parts(texts, gold):
    """1 and 0 for the runs with the parts that are told, NaN for all others."""
    fold = lambda t: re.sub(r"\s+", " ", t).strip()
    folded, y = [fold(t) for t in texts], np.full(len(texts), np.nan)
    for key, value in (("with", 1.0), ("without", 0.0)):
        for part in map(fold, gold[key]):
            hits = [i for i, t in enumerate(folded) if part in t]
            if value and hits:
                hits = [max(hits, key=lambda i: len(folded[i]))]
            y[hits] = value
    return y


class Page:
    def __init__(self, gold, texts):
        self.gold, self.runs = gold, [words(t) for t in texts]
        self.n = np.array([len(w) for w in self.runs], float)
        whole = "text" in gold
        self.y = labels_of_text(texts, gold["text"]) if whole else labels_of_parts(texts, gold)
        # Pages count alike, runs by their words; those that are told in part count less.
        share = self.n / max(self.n[self.y > 0.5].sum(), 30)
        weight = np.minimum(share, 0.2) + 0.3 / max(len(texts), 1)
        self.weight = weight if whole else np.where(np.isnan(self.y), 0, 0.1)
        self.gold_words = Counter(words(gold["text"])) if whole else None

    def f1(self, likely):
        kept = Counter(w for run, keep in zip(self.runs, best(self.n, likely)) if keep for w in run)
        both, a, b = sum((kept & self.gold_words).values()), sum(kept.values()), sum(self.gold_words.values())
        return 2 * both / (a + b) if a + b else 1.0


def best(n, likely):
    """As `select::best` has it."""
    order = np.argsort(-likely, kind="stable")
    f1 = 2 * np.cumsum((n * likely)[order]) / np.maximum(np.cumsum(n[order]) + (n * likely).sum(), 1e-9)
    keep = np.zeros(len(n), bool)
    if len(n):
        keep[order[:len(n) - np.argmax(f1[::-1])]] = True
    return keep


def fold_of(url, folds):
    host = ".".join(urlsplit(url).netloc.lower().split(":")[0].split(".")[-2:])
    return int(hashlib.md5(host.encode()).hexdigest(), 16) % folds


def fit(X, y, weight):
    # Of the many runs of little weight a part will do, each for several.
    chance = np.clip(weight / np.quantile(weight, 0.8), 0.2, 1.0)
    some = np.random.default_rng(5).random(len(y)) < chance
    data = lgb.Dataset(X[some], y[some], weight=weight[some] / chance[some], params=PARAMETERS)
    return lgb.train(PARAMETERS, data, TREES)


def table(model):
    """A forest as `select::forest` reads it."""
    out, count = b"", 0
    for tree in model.dump_model()["tree_info"]:
        forks, leaves = [], []

        def walk(node):
            if "leaf_value" in node:
                leaves.append(node["leaf_value"])
                return -len(leaves)
            assert node["decision_type"] == "<="
            at = len(forks)
            forks.append(None)
            bound = np.float32(node["threshold"])
            if float(bound) > node["threshold"]:
                bound = np.nextafter(bound, np.float32(-np.inf))
            forks[at] = (node["split_feature"], bound, walk(node["left_child"]), walk(node["right_child"]))
            return at

        walk(tree["tree_structure"])
        assert forks and len(leaves) == len(forks) + 1
        out += struct.pack("<H", len(forks)) + b"".join(struct.pack("<Bfhh", *f) for f in forks) + struct.pack(f"<{len(leaves)}f", *leaves)
        count += 1
    return struct.pack("<H", count) + out


def hash_of(names):
    value = 0xCBF29CE484222325
    for byte in "".join(name + "\n" for name in names).encode():
        value = (value ^ byte) * 0x100000001B3 & (1 << 64) - 1
    return value


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--runs", required=True); a.add_argument("--work", required=True)
    a.add_argument("--folds", type=int, default=3); a.add_argument("--write"); a.add_argument("sets", nargs="+")
    o = a.parse_args()
    start, pages = time.time(), []
    tell = lambda *what: print(f"{time.time() - start:6.0f} s", *what, flush=True)

    rows = []
    for n, folder in enumerate(o.sets):
        out = os.path.join(o.work, str(n))
        subprocess.run([o.runs, f"{folder}/pages.warc", out], check=True)
        lines = [json.loads(line) for line in open(f"{out}.jsonl")]
        names = max((line["names"] for line in lines), key=len)
        rows.append(np.fromfile(f"{out}.f32", "<f4").reshape(-1, len(names)))
        golds = [json.loads(line) for line in open(f"{folder}/gold.jsonl")]
        assert len(golds) == len(lines)
        pages.extend(Page(gold, line["texts"]) for gold, line in zip(golds, lines))
    X = np.concatenate(rows)
    y, weight = (np.concatenate([getattr(p, k) for p in pages]) for k in ("y", "weight"))
    fold = np.concatenate([np.full(len(p.y), fold_of(p.gold["url"], o.folds)) for p in pages])
    told = ~np.isnan(y) & (weight > 0)
    tell(len(pages), "pages,", len(y), "runs,", len(names), "numbers")

    def unseen(X):
        """What forests say that have seen no page of the host."""
        likely = np.zeros(len(y))
        for k in range(o.folds):
            here = told & (fold != k)
            likely[fold == k] = fit(X[here], y[here], weight[here]).predict(X[fold == k], num_threads=1)
        return likely

    def report(name, likely):
        f1, at = defaultdict(list), 0
        for p in pages:
            if p.gold_words is not None:
                f1["all"].append(p.f1(likely[at:at + len(p.y)])); f1[p.gold.get("type") or "untyped"].append(f1["all"][-1])
            at += len(p.y)
        f1["typed"] = [x for kind, v in f1.items() if kind not in ("all", "untyped") for x in v]
        tell(name, {kind: (len(v), round(float(np.mean(v)), 4)) for kind, v in f1.items() if v})

    likely = unseen(X); report("unseen hosts:", likely)
    np.save(os.path.join(o.work, "unseen.npy"), likely)
    if o.write:
        forest = fit(X[told], y[told], weight[told])
        report("all seen:", forest.predict(X, num_threads=1))
        data = struct.pack("<Q", hash_of(names)) + table(forest)
        open(o.write, "wb").write(data)
        tell(o.write, len(data), "bytes")
        gain = sorted(zip(forest.feature_importance("gain"), names), reverse=True)[:30]
        tell("most telling:", ", ".join(name for _, name in gain))


if __name__ == "__main__":
    main()
