"""The schema: its revisions, and who applies them. Nothing here is imported by what reads and writes rows."""
