"""Who calls whom: interfaces, clients, and the servers that serve several versions of one interface at once."""
