"""One customer across systems: found, kept, and taken apart again when wrong.

`identify` gives the identity of a day; `people` reads it for whoever asks by customer.
"""

from backbook.customer.identity.identify import Identified, identify
from backbook.customer.identity.terms import Terms, read_terms

__all__ = ["Identified", "Terms", "identify", "read_terms"]
