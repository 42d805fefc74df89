"""How fast rows are migrated, beside a loop of ``SELECT … WHERE todo LIMIT n``, and what others feel of it; in one run.

``python -m benchmarks.data`` starts a PostgreSQL of its own, fills a table there and in an SQLite file, lets each
contender migrate it in a process of its own, kills the sweeper twenty times, alters a table behind a long reader, and
writes ``build/bench/data.json``.
"""
