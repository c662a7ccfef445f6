"""A process that holds requests while an endpoint is paused. Runs alone: standard library only."""
