"""One customer from all sides: who they are, what they hold, what happened, what is said of them and why.

`customer` looks; `terminal` and `page` tell what it saw. Names are masked, and nothing else that is private is read.
"""

from backbook.run.customer.look import Customer360, customer

__all__ = ["Customer360", "customer"]
