"""Snapcast: a server for each stream, and a client for each room, over TCP. The engine for Wi-Fi, where multicast is
slow and gets lost."""
