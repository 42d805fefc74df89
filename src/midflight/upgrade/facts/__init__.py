"""What gates decide on: each function looks at one kind of fact in a frozen fleet, and says in words what it found."""
