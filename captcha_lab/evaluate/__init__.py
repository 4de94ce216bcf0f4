"""Judging generators and recognisers, and auditing how weak a captcha is."""
