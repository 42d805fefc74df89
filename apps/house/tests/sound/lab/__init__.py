"""A laboratory of sound: hosts in namespaces on a switch that looks into multicast, real engines that run as ordinary
users, and rooms whose sound cards are pipes, drained at a pace of their own and recorded."""
