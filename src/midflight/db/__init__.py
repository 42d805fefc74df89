"""What is kept: engine, the framework's own tables, the journal, the write forms, the runner that expands a schema."""
