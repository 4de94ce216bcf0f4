"""The built-in endpoint: captchas served on this machine."""
