#!/usr/bin/env python3
"""Makes the small table of README.md and docs/speed.svg from benches/results.json. `scripts/bench.sh` runs it.

ROWS chooses the lines that a user asks for first, and among them the one where Klamm is furthest behind. A line that is
chosen here and was not measured is an error, so that the picture never shows less than the last run did.
"""

import json
import math
import pathlib
import sys
from html import escape

ROOT = pathlib.Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- speed -->\n", "<!-- /speed -->"
HIGHER_IS_BETTER = {"records/s", "MB/s", "transactions/s"}

# Group and name as in results.json, and what the reader is told.
ROWS = [
    ("produce, kafka-producer-perf-test", "1 KiB, acks=all, none, 12 partitions", "Java's producer, 1 KiB records"),
    ("produce, rdkafka_performance", "1 KiB, acks=all, none, 1 partition", "librdkafka's producer, 1 KiB records"),
    ("produce, as much as it takes", "16 connections, one record of 100 B a request, 12 partitions",
     "16 producers, one small record a request"),
    ("produce, as much as it takes", "16 connections, one record of 100 B a request, each synced",
     "the same, each record synced to disk"),
    ("consume, kafka-consumer-perf-test", "1 KiB, 12 partitions", "Java's consumer, 1 KiB records"),
    ("fetch, as much as it gives", "1 connection, all of 12 partitions, pages in memory", "one consumer, as fast as it is served"),
    ("at a fixed rate", "50,000 records of 1 KiB a second, 25 to a request, tailed", "latency p99 at 50,000 records/s"),
    ("at a fixed rate", "10,000 records of 1 KiB a second while one reads all from the beginning, as fast as it can",
     "produce p99 beside a consumer that catches up"),
    ("idle", "start with 10,000 partitions", "restart with 10,000 partitions"),
    ("idle", "memory with 10,000 partitions", "memory with 10,000 partitions"),
]

WIDTH, LINE, TOP, LEFT, RIGHT = 860, 26, 56, 330, 56
AHEAD, BEHIND, INK, FAINT = "#1b7f5c", "#b33a3a", "#222222", "#dddddd"


def spread(values):
    """The middle (of two, their geometric mean), the least and the largest: as `Spread` in the benchmark's report."""
    values = sorted(values)
    below, above = values[(len(values) - 1) // 2], values[len(values) // 2]
    return (below if below == above else math.sqrt(below * above)), values[0], values[-1]


def number(value):
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f}"


def load():
    samples = {}
    for line in (ROOT / "benches/results.json").read_text().splitlines():
        entry = json.loads(line)
        key = (entry["group"], entry["name"])
        unit, brokers = samples.setdefault(key, (entry["unit"], {}))
        brokers.setdefault(entry["broker"], {})[entry["round"]] = entry["sample"]["value"]
    return samples


def rows(samples):
    for group, name, label in ROWS:
        unit, brokers = samples.get((group, name), ("", {}))
        ours, kafka = brokers.get("Klamm"), brokers.get("Apache Kafka")
        if not ours or not kafka:
            sys.exit(f"benches/results.json does not have {group}: {name} of both brokers: run all loads, or mend ROWS here")
        both = sorted(set(ours) & set(kafka))
        ratios = [ours[r] / kafka[r] if unit in HIGHER_IS_BETTER else kafka[r] / ours[r] for r in both]
        yield label, unit, spread(ours.values())[0], spread(kafka.values())[0], spread(ratios)


def table(found):
    lines = ["| | Klamm | Apache Kafka | ratio |", "| --- | --: | --: | --: |"]
    for label, unit, ours, kafka, (ratio, _, _) in found:
        unit = unit.removesuffix(" at p99")
        lines.append(f"| {label} | {number(ours)} {unit} | {number(kafka)} {unit} | {number(ratio)} |")
    return "\n".join(lines) + "\n"


def picture(found, title):
    height = TOP + len(found) * LINE + 40
    least = min(0.4, min(low for *_, (_, low, _) in found) * 0.8)
    most = max(low * 1.6 for *_, (_, _, low) in found)
    scale = (WIDTH - LEFT - RIGHT) / math.log10(most / least)

    def at(value):
        return LEFT + math.log10(value / least) * scale

    def text(x, y, words, anchor="start", size=13, colour=INK):
        return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
                f'fill="{colour}">{escape(words)}</text>')

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
           f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">',
           f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
           text(12, 22, "How many times as good as Apache Kafka", size=15),
           text(12, 40, "Logarithmic. Left of 1 Klamm is behind. Lines: from the worst to the best round.", size=11)]
    bottom = TOP + len(found) * LINE
    ticks = [tick for tick in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200) if least <= tick <= most]
    for tick in ticks:
        colour = INK if tick == 1 else FAINT
        out.append(f'<line x1="{at(tick):.1f}" x2="{at(tick):.1f}" y1="{TOP}" y2="{bottom}" stroke="{colour}"/>')
        out.append(text(at(tick), bottom + 16, f"{tick:g}", "middle", 11))
    for line, (label, _, _, _, (ratio, low, high)) in enumerate(found):
        y = TOP + line * LINE + LINE / 2
        colour = AHEAD if ratio >= 1 else BEHIND
        x, width = min(at(1), at(ratio)), abs(at(ratio) - at(1))
        out.append(text(12, y + 4, label))
        out.append(f'<rect x="{x:.1f}" y="{y - 7:.1f}" width="{width:.1f}" height="14" fill="{colour}" opacity="0.75"/>')
        out.append(f'<line x1="{at(low):.1f}" x2="{at(high):.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="{INK}"/>')
        out.append(text(max(at(ratio), at(high), at(1)) + 6, y + 4, number(ratio), size=12))
    out.append(text(12, height - 6, title, size=10, colour="#666666"))
    return "\n".join(out) + "\n</svg>\n"


def main():
    found = list(rows(load()))
    title = (ROOT / "benches/results.md").read_text().splitlines()[0].replace("`", "")
    (ROOT / "docs/speed.svg").write_text(picture(found, title))
    page = ROOT / "README.md"
    before, rest = page.read_text().split(BEGIN, 1)
    page.write_text(before + BEGIN + table(found) + END + rest.split(END, 1)[1])


main()
