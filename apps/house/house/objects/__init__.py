"""What travels through the house, one noun in each module."""
