"""captcha-lab: from a captcha endpoint you may test to a recogniser that reads it and generators it scores."""
