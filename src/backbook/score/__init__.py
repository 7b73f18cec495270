"""Numbers that predict: trained on the book itself, versioned, explained."""
