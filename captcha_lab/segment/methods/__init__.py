"""Ways of finding the cells of a captcha: one file each, with a `METHOD`; found by looking into this folder."""
