"""What a run shows while it trains: samples, curves, alarms."""
