"""The drawing library of the report: Vega, Vega-Lite and Vega-Embed as one script.

It is always the same and takes two seconds to make, whatever the book. A run therefore lets another process make
it while its own stages work.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import vl_convert

# The one thing of the library that the page calls.
SNIPPET = "window.vegaEmbed = vegaEmbed;"
MAKE = "import sys, vl_convert; sys.stdout.buffer.write(vl_convert.javascript_bundle(sys.argv[1]).encode())"


@cache
def made() -> str:
    """The script, made here and now."""
    return _inside_a_page(vl_convert.javascript_bundle(SNIPPET))


@contextmanager
def made_beside() -> Iterator[Callable[[], str]]:
    """Another process makes the script meanwhile; what is yielded waits for it."""
    command = [sys.executable, "-c", MAKE, SNIPPET]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield cache(lambda: _finished(process))
        finally:
            process.kill()


def _finished(process: subprocess.Popen[bytes]) -> str:
    script, _ = process.communicate()
    return made() if process.returncode else _inside_a_page(script.decode())


def _inside_a_page(script: str) -> str:
    """The script without what would end the element in which it stands."""
    return script.replace("</script", "<\\/script")
