"""The conductor: the only one who needs the database. It runs remotables for others, and knows who is in the fleet."""
