"""What stands between visitors and the page: security, uploads, sessions, start, first page."""
