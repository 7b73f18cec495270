"""What the bank's systems deliver, and how it becomes the tables of the contract."""
