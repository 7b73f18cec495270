"""Scores as people meet them: which versions there are, what each is worth and for whom, who decided on it, why it says what it says."""
