"""What the house costs and how soon it wakes, measured in namespaces; ``make bench-house`` runs it, as root."""
