"""The command line as ``python -m custvalue``."""

from custvalue.cli import main

main(prog_name="custvalue")
