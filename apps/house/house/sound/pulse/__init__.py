"""What all engines have in common: streams come from PulseAudio on their host, and are played by PulseAudio in a room.
An engine has only what carries a stream between them (``Carrier``): modules of PulseAudio's, or programs beside it."""
