"""GStreamer's net clock: all rooms of a stream play by its clock, to which each resamples. The engine whose rooms are
the closest in time, on a wired network."""
