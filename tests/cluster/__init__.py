"""PostgreSQL servers and proxies for tests; see README.md."""
