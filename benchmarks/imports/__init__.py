"""What it costs to import midflight, beside the incumbent."""
