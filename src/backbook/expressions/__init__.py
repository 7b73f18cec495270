"""The one language for conditions."""
