"""Who each customer is and what is known of them on a given day."""
