"""Conditions to actions: what is decided for each one, and why."""
