"""Each piece of Python in README.md is run: those with tests by pytest, the others by themselves."""

import re
import sys
from pathlib import Path

import pytest

BLOCKS = re.findall(r"^```python\n(.*?)^```$", (Path(__file__).parent.parent / "README.md").read_text(), re.MULTILINE | re.DOTALL)
#: How long each may take on a busy machine.
DEADLINE = 60
#: The first one has the imports of all.
IMPORTS = "".join(line for line in BLOCKS[0].splitlines(keepends=True) if line.startswith(("import ", "from ")))


@pytest.mark.parametrize("number", range(len(BLOCKS)), ids=lambda number: BLOCKS[number].strip().splitlines()[-1].strip())
def test_it_is_run(pytester: pytest.Pytester, number: int) -> None:
    path = pytester.makepyfile(IMPORTS + BLOCKS[number])
    tests = len(re.findall(r"^ *def test_", BLOCKS[number], re.MULTILINE))
    if tests:
        pytester.runpytest_subprocess(timeout=DEADLINE).assert_outcomes(passed=tests)
    else:
        assert pytester.run(sys.executable, path, timeout=DEADLINE).ret == 0
