"""The one family of errors a user may see; anything else that escapes is a bug."""


class CaptchaLabError(Exception):
    """Something is wrong with the user's input or surroundings.

    The message says what is wrong with what, and the command or option that mends it.
    """

    exit_code = 1


class UsageError(CaptchaLabError):
    """The command line itself is wrong: an unknown name, an impossible combination of options."""

    exit_code = 2
