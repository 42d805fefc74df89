"""A house whose machines sleep until somebody needs them."""
