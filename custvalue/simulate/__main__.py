"""The command line ``python -m custvalue.simulate FOLDER``: write the sample store."""

import argparse

from custvalue.errors import UsageError
from custvalue.simulate.sample import write_sample

parser = argparse.ArgumentParser(prog="python -m custvalue.simulate", description="Write the sample store.")
parser.add_argument("folder", help="where to write, for example data/sample")
try:
    write_sample(parser.parse_args().folder)
except UsageError as error:
    parser.error(str(error))
