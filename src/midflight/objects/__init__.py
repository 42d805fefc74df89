"""What travels: versioned objects that serialise themselves, track their changes and know how to grow older."""
