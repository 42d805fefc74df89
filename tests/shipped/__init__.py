"""What is shipped is built, looked at and tried as its users would, outside CI: `make debian`, `make containers`."""
