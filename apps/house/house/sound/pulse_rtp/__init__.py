"""PulseAudio and its RTP modules, as the original did it: a null sink for each stream, multicast, and one receiver for
each room."""
