"""What sound reaches: how far rooms are apart, how soon they play what is patched to them, and what interrupts them."""
