"""A made-up issuer with a seed and with its truth known.

    people ─▶ book ─▶ living (month by month: bank ─▶ paying, spending ─▶ billing ─▶ rewards, profit)
                        │                                              └─▶ core · app · call_centre · partner, truth
                        └▶ futures (the same state lived on many times) ─▶ policy (the best that could be done)

Hidden traits drive what people do, what they do is posted, and statements follow from postings. The same seed
gives the same bytes.
"""

from __future__ import annotations

from backbook.simulator.issuer import measure, simulate, step
from backbook.simulator.settings import mix

__all__ = ["measure", "mix", "simulate", "step"]
