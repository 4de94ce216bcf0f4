"""Questions about whole captchas, whatever their length and whether or not they can be cut."""
