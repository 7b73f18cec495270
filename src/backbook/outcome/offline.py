"""One page in one file: nothing is fetched from anywhere, and no script runs but those whose hashes the page states.

Every page that Backbook writes is made with this: the same style, the same policy.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from typing import Any

import vl_convert
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from backbook.outcome import charts

LANGUAGES = ("zh", "en")


@cache
def template(package: str, name: str) -> Template:
    """A template that lies beside a module of `package`; it may include what lies here."""
    loader = ChoiceLoader([PackageLoader(package, "."), PackageLoader("backbook.outcome", ".")])
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters["marked"] = marked
    made.globals["fonts"] = Markup(charts.FONTS)
    return made.get_template(name)


def policy(*scripts: str) -> Markup:
    """The content security policy of a page that runs these scripts and nothing else."""
    allowed = " ".join(f"'{_hash(script)}'" for script in scripts) or "'none'"
    return Markup(f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src {allowed}")


def _hash(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def inline(data: Any) -> Markup:
    """JSON that cannot end the script element in which it stands."""
    return Markup(json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"))


def spec(chart: Any) -> dict[str, Any]:
    """A chart as plain data, without the address of its schema, as wide as its place allows and no wider."""
    made: dict[str, Any] = chart.to_dict()
    made.pop("$schema", None)
    return {**made, "config": charts.CONFIG, "autosize": {"type": "fit-x", "contains": "padding"}}


def picture(chart: Any, width: int | None = None) -> Markup:
    """The chart drawn here and now, as wide as said or as it is: an SVG that needs no script, for a page with few of them."""
    drawn = chart.to_dict() | {"config": charts.CONFIG} if width is None else {**spec(chart), "width": width}
    svg = str(vl_convert.vegalite_to_svg(drawn, allowed_base_urls=[]))
    # Inside a page the names of XML are not needed, and no address stands on it.
    return Markup(
        svg.replace(' xmlns="http://www.w3.org/2000/svg"', "").replace(
            ' xmlns:xlink="http://www.w3.org/1999/xlink"', ""
        )
    )


def marked(words: str) -> Markup:
    """Words with their `names` set as code.

    >>> marked("needs `card` & more")
    Markup('needs <code>card</code> &amp; more')
    """
    parts = str(words).split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else part for place, part in enumerate(parts)
    )
