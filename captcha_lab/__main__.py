"""`python -m captcha_lab`, which is also what `torchrun -m captcha_lab` starts."""

from captcha_lab.cli import main

main()
