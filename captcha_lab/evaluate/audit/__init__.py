"""How weak a captcha is, and why."""
