"""Backbook runs the customers a card issuer already has (存量客户).

The way of the data, one business date at a time:

    sources ─▶ customer ─▶ score ─▶ strategy ─▶ approval · campaign · loyalty · care ─▶ outcome
     (load)     (know)    (predict)  (decide)              (act)                        (learn)

Each stage reads tables and writes tables, and everything is as of a date.
"""

__version__ = "0.1.0"
