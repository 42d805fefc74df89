"""What is on the wire: pure codecs of frames, and the one socket that carries them."""
