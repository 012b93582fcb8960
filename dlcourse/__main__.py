"""The command line, `python -m dlcourse COMMAND`.

A program of a worked project is a module of `dlcourse.projects` with `add_arguments(parser)` and
`main(args) -> exit code`; it is found here by being there, and imported only when it is asked for.
"""

import argparse
import importlib
import pkgutil
import sys

from dlcourse import __version__, doctor, projects


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m dlcourse", description="The course's tools.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    about = "say what is installed, what is missing and how to mend it"
    doctor.add_arguments(commands.add_parser("doctor", help=about, description=doctor.__doc__))

    about = "train the model of a worked project and record the result"
    train = commands.add_parser("train", help=about, description=f"To {about}.")
    train.add_argument("project", metavar="PROJECT", choices=_projects(), help="%(choices)s")
    train.add_argument("options", nargs=argparse.REMAINDER, help="PROJECT --help lists them")

    args = parser.parse_args(argv)
    if args.command == "doctor":
        return doctor.main(args)
    return _train(args.project, args.options)


def _projects():
    return sorted(m.name for m in pkgutil.iter_modules(projects.__path__) if m.name[0] != "_")


def _train(project, options):
    try:
        program = importlib.import_module(f"dlcourse.projects.{project}")
    except ModuleNotFoundError as error:
        if error.name.startswith("dlcourse"):
            raise
        return f"{project} needs {error.name}. `python -m dlcourse doctor` tells how to install it."
    parser = argparse.ArgumentParser(
        prog=f"python -m dlcourse train {project}", description=program.__doc__.split("\n")[0]
    )
    program.add_arguments(parser)
    return program.main(parser.parse_args(options))


if __name__ == "__main__":
    sys.exit(main())
