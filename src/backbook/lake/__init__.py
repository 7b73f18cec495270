"""The lake: every table in versions, each of them whole.

A table version is a manifest: a list of immutable files. One HEAD names the manifest of every table, and
it is replaced by one rename, so whoever reads sees all of a run or nothing of it. Files are shared between
versions; only one process writes at a time.

    lake/HEAD                              the version that counts
    lake/heads/000123.json                 every version kept, by number
    lake/manifests/HASH.json               the files of one version of one table; the name is its content's hash
    lake/data/TABLE/PART/000123-004-HASH.parquet
    lake/documents/KIND/000123-NAME.json   bundles and run records
    lake/aside/                            what is being written and not yet published
    lake/lock                              who is writing
"""

from backbook.lake.disk import Disk
from backbook.lake.lake import Lake, Pruned
from backbook.lake.version import File, Head, Manifest
from backbook.lake.writer import Writer

__all__ = ["Disk", "File", "Head", "Lake", "Manifest", "Pruned", "Writer"]
