"""What the Augment tab shows, and what it is made of."""
