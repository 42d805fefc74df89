"""Bad input: whatever the bytes, a decoder reads them or raises one typed error."""
