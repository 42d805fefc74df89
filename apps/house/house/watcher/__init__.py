"""What stands guard over sleeping machines: pure rules for each of them, and the service around those."""
