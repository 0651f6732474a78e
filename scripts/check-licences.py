#!/usr/bin/env python3
"""Every crate that is compiled into the package of the given Cargo.toml has a licence that we may use.

A small equivalent of `cargo deny check licenses`, which takes minutes to build. The licence expressions are SPDX: OR is a
choice, AND a sum, the old slash a choice."""

import json
import re
import subprocess
import sys

ALLOWED = {
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "MIT",
    "MIT-0",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "CC0-1.0",
    "Unlicense",
    "BSL-1.0",
    "Unicode-3.0",
}


def allowed(expression):
    """Whether an SPDX expression can be satisfied with ALLOWED."""
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))

    def either():
        result = both()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            result = both() or result
        return result

    def both():
        result = one()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            result = one() and result
        return result

    def one():
        token = tokens.pop(0)
        if token == "(":
            result = either()
            tokens.pop(0)
            return result
        if len(tokens) > 1 and tokens[0] == "WITH":
            tokens.pop(0)
            token = f"{token} WITH {tokens.pop(0)}"
        return token in ALLOWED

    return either()


def main(manifest):
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--manifest-path", manifest]
    metadata = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    refused = [p for p in metadata["packages"] if not (p["license"] and allowed(p["license"]))]
    for package in refused:
        print(f"{package['name']} {package['version']}: licence {package['license']!r} is not in the allow list")
    print(f"{manifest}: {len(metadata['packages'])} packages, {len(refused)} refused")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(max(main(manifest) for manifest in sys.argv[1:]))
