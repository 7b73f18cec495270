"""A made-up issuer with a seed and with its truth known."""
