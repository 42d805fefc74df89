"""A cloud in miniature: machines that count, on hosts that can be upgraded while they do."""
