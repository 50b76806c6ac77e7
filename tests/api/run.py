"""Checks docs/openapi.json against a running server with schemathesis, and prints how many operations passed.

The server has a database of its own, which is removed, and listens on loopback. The seed is fixed.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml

HERE = pathlib.Path(__file__).resolve().parent
SEED = "1"
COMMAND = "import sys; from schemathesis.cli import schemathesis; sys.argv[0] = 'schemathesis'; schemathesis()"


def started(program, directory):
    """Starts the server, and returns its process and its address."""
    options = ["--listen", "127.0.0.1:0", "--db", directory / "campaigns.db", "--log-level", "off"]
    # The limit of requests is not what this tests.
    options += ["--faults", "--requests-per-second", "1000000"]
    server = subprocess.Popen([program, *options], stdout=subprocess.PIPE, text=True)
    return server, server.stdout.readline().strip().removeprefix("listening on ")


def checked(address, examples, report):
    """Runs schemathesis, and returns whether it found nothing."""
    arguments = ["--config-file", HERE / "schemathesis.toml", "run", HERE / "../../docs/openapi.json"]
    arguments += ["--url", f"{address}/api/v2", "--seed", SEED, "--max-examples", str(examples)]
    # This route ends the server.
    arguments += ["--exclude-path", "/faults/kill", "--no-color", "--generation-database", "none"]
    arguments += ["--report", "junit", "--report-junit-path", report]
    environment = {**os.environ, "PYTHONPATH": str(HERE), "SCHEMATHESIS_HOOKS": "hooks"}
    command = [sys.executable, "-c", COMMAND, *arguments]
    return subprocess.run(command, env=environment, cwd=report.parent).returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", required=True, help="the program of the server")
    parser.add_argument("--examples", type=int, default=20, help="examples for each operation")
    options = parser.parse_args()
    program = pathlib.Path(options.server).resolve()
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        report = directory / "report.xml"
        server, address = started(program, directory)
        try:
            success = checked(address, options.examples, report)
            lives = server.poll() is None
        finally:
            server.kill()
            server.wait()
        cases = xml.parse(report).iter("testcase") if report.exists() else []
        outcomes = [any(it.tag in ("failure", "error") for it in case.iter()) for case in cases]
    failed = outcomes.count(True)
    if not lives:
        print("the server has ended")
    if not (success and lives) and failed == 0:
        failed = 1
    print(f"# pass {outcomes.count(False)}")
    print(f"# fail {failed}")
    return 0 if success and lives else 1


if __name__ == "__main__":
    sys.exit(main())
