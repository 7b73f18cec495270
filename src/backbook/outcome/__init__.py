"""What came of it: figures of the book and the report."""
