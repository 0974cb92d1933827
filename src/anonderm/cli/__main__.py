import sys

from anonderm.cli import main

sys.exit(main())
