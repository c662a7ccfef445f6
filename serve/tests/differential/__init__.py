"""The original server and ours run the same scripts and requests; the answers are compared."""
