"""What puts a machine to sleep for lack of demand: its own agent."""
