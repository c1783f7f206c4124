"""Everything between the network and the page: security, queue, uploads, sessions, start, end."""
