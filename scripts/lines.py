#!/usr/bin/env python3
"""Lines of Rust per level of the house: code, comments, and the tests inside the files. Levels are read from src/tidy.rs."""

import pathlib
import re

root = pathlib.Path(__file__).resolve().parent.parent
tidy = (root / "src/tidy.rs").read_text()
levels = {name: int(level) for name, level in re.findall(r'\("(\w+)", (\d+)\)', tidy)}


def count(path):
    """Code, comment and test lines of a file; what follows `#[cfg(test)]` is a test."""
    code = comment = test = 0
    inside = "tests" in path.stem
    for line in path.read_text().splitlines():
        line = line.strip()
        inside = inside or line == "#[cfg(test)]"
        if not line:
            continue
        if inside:
            test += 1
        elif line.startswith("//"):
            comment += 1
        else:
            code += 1
    return code, comment, test


table = {}
for path in sorted((root / "src").rglob("*.rs")):
    module = path.relative_to(root / "src").parts[0].removesuffix(".rs")
    kind = "generated" if "generated" in str(path) else "written"
    old = table.setdefault((levels.get(module, 99), module, kind), [0, 0, 0, 0])
    for i, n in enumerate((1, *count(path))):
        old[i] += n

print(f"{'level':>5} {'module':<14} {'files':>5} {'code':>7} {'comments':>8} {'tests':>7}")
total = [0, 0, 0, 0]
for (level, module, kind), row in sorted(table.items()):
    note = "" if kind == "written" else " (generated)"
    print(f"{level:>5} {module + note:<14} {row[0]:>5} {row[1]:>7} {row[2]:>8} {row[3]:>7}")
    total = [a + b for a, b in zip(total, row)]
print(f"{'':>5} {'all':<14} {total[0]:>5} {total[1]:>7} {total[2]:>8} {total[3]:>7}")
