"""Networks of this room: pure modules; what trains or loads them is elsewhere."""
