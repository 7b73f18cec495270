"""Everything that is defined, in both languages, for whoever wants to know what a column means and who may use it."""

from backbook.run.catalogue.entries import Catalogue, catalogue
from backbook.run.catalogue.write import write_catalogue

__all__ = ["Catalogue", "catalogue", "write_catalogue"]
