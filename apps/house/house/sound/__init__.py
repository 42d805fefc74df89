"""The agent of a host with sound."""
