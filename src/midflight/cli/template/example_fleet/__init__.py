"""Jobs that somebody asks for, and workers on many hosts that do them."""
