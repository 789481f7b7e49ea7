#!/usr/bin/env python3
"""Runs one peer of the comparison on a topic, in an environment of its own that it makes where it is missing.

    run.py PEER --brokers B --topic T --workers N --out DIR --cache DIR [--check]
    run.py debezium --brokers B --topic T --postgres URL --slot S --publication P --changes N --out DIR --cache DIR [--check]
    run.py PEER --prepare --cache DIR
    run.py --list

The peer reads the topic from its first offsets to the end that it had at the start. Below DIR it writes what it makes of it, and
at its end `result.json`. Debezium fills the topic instead, until it holds N changes of a slot. The same command with --check
afterwards reads what the run has left and writes `counts.csv` (day,schema,table,op,count) and `checked.json`, so that the
check is no part of what the run costs. --no-install uses only environments that are there.

Exit codes: 0 finished; 2 wrong usage; 3 the peer could not be installed, with the reason in the last line of stderr; others, the
peer failed.
"""

import argparse
import ctypes
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
# Each has requirements/PEER.txt; those on the JVM have requirements/PEER.pom.xml too.
READERS = {"spark": "spark.py", "flink": "flink.py", "bytewax": "bytewax_flow.py", "pathway": "pathway_run.py"}
WRITERS = {"debezium": "debezium.py"}
PROGRAMS = {**READERS, **WRITERS}
# What their programs are started with, besides --out.
READER_OPTIONS = ["brokers", "topic", "workers"]
WRITER_OPTIONS = ["brokers", "topic", "postgres", "slot", "publication", "changes"]
OLDEST_JAVA = 17


class NotInstalled(Exception):
    """Why a peer's environment could not be made, in one line."""


def main():
    arguments = parse_arguments()
    if arguments.list:
        print("\n".join(READERS))
        return
    try:
        environment = prepare(arguments.peer, os.path.abspath(arguments.cache), not arguments.no_install)
    except NotInstalled as reason:
        print(f"could not install {arguments.peer}: {reason}", file=sys.stderr)
        sys.exit(3)
    if not arguments.prepare:
        start(arguments, environment)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", nargs="?", choices=PROGRAMS)
    parser.add_argument("--list", action="store_true", help="print the names of the peers that read a topic")
    parser.add_argument("--prepare", action="store_true", help="only make the environment")
    parser.add_argument("--no-install", action="store_true", help="fail where the environment is missing")
    parser.add_argument("--check", action="store_true", help="read what a run has left in DIR, instead of running")
    parser.add_argument("--cache", metavar="DIR", help="where environments are kept")
    parser.add_argument("--brokers", metavar="HOST:PORT,…")
    parser.add_argument("--topic")
    parser.add_argument("--workers", type=int, metavar="N")
    parser.add_argument("--postgres", metavar="URL", help="the database of the slot")
    parser.add_argument("--slot")
    parser.add_argument("--publication")
    parser.add_argument("--changes", type=int, metavar="N", help="how many changes the slot has")
    parser.add_argument("--out", metavar="DIR", help="a folder that is empty or not there yet")
    arguments = parser.parse_args()
    if arguments.list:
        return arguments
    needed = ["peer", "cache"] if arguments.prepare else ["peer", "cache", "out", *options_of(arguments.peer)]
    missing = [name for name in needed if getattr(arguments, name) is None]
    if missing:
        parser.error(f"missing: {', '.join(missing)}")
    if not arguments.prepare:
        for name in ["workers", "changes"]:
            if name in needed and getattr(arguments, name) < 1:
                parser.error(f"--{name} must be at least 1")
        if arguments.check:
            if not os.path.exists(os.path.join(arguments.out, "result.json")):
                parser.error(f"{arguments.out} has no result.json: no run has ended there")
        elif os.path.isdir(arguments.out) and os.listdir(arguments.out):
            parser.error(f"{arguments.out} is not empty")
    return arguments


def options_of(peer):
    return WRITER_OPTIONS if peer in WRITERS else READER_OPTIONS


def prepare(peer, cache, may_install):
    """Makes the peer's environment unless it is whole; its name changes with what is to be in it."""
    requirements = os.path.join(HERE, "requirements", f"{peer}.txt")
    pom = os.path.join(HERE, "requirements", f"{peer}.pom.xml")
    on_jvm = os.path.exists(pom)
    if on_jvm:
        check_java()
    content = hashlib.sha256(sys.version.encode())
    for path in [requirements, pom] if on_jvm else [requirements]:
        with open(path, "rb") as file:
            content.update(file.read())
    environment = os.path.join(cache, f"peer-{peer}-{content.hexdigest()[:12]}")
    whole = os.path.join(environment, "whole")
    if not may_install:
        if not os.path.exists(whole):
            raise NotInstalled("it is not installed yet, and nothing may be (--no-install)")
        return environment
    try:
        os.makedirs(cache, exist_ok=True)
        with open(f"{environment}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not os.path.exists(whole):
                shutil.rmtree(environment, ignore_errors=True)
                install_packages(environment, requirements)
                if on_jvm:
                    install_jars(environment, pom)
                with open(whole, "w"):
                    pass
    except OSError as error:
        raise NotInstalled(error) from error
    return environment


def check_java():
    try:
        version = subprocess.run(["java", "-version"], capture_output=True, text=True, check=True).stderr
    except (OSError, subprocess.CalledProcessError) as error:
        raise NotInstalled(f"no Java {OLDEST_JAVA} or newer: {error}") from error
    major = re.search(r'version "(\d+)', version)
    if not major or int(major[1]) < OLDEST_JAVA:
        raise NotInstalled(f"no Java {OLDEST_JAVA} or newer: {version.splitlines()[:1]}")


def install_packages(environment, requirements):
    install("venv", [sys.executable, "-m", "venv", environment])
    pip = [os.path.join(environment, "bin", "python"), "-m", "pip", "install", "--quiet"]
    install("pip", [*pip, "--disable-pip-version-check", "--requirement", requirements])


def install_jars(environment, pom):
    """Copies the dependencies of the POM from the repository that Maven is set up with."""
    if not shutil.which("mvn"):
        raise NotInstalled("mvn is missing, which brings the jars (Debian's package: maven)")
    maven = ["mvn", "-q", "-B", "-ntp", "-Dstyle.color=never", "-f", pom, "dependency:copy-dependencies"]
    install("mvn", [*maven, "-DincludeScope=runtime", f"-DoutputDirectory={os.path.join(environment, 'jars')}"])


def install(step, command):
    """Runs a step; its output goes to stderr, so that stdout holds only what the peer prints."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.stderr.write(done.stdout)
        errors = [line for line in done.stdout.splitlines() if "ERROR" in line] or done.stdout.splitlines() or [""]
        raise NotInstalled(f"{step} ended with {done.returncode}: {errors[0].strip()}")


def start(arguments, environment):
    """Runs the peer's program, or its check, until it and all that it started have ended."""
    os.makedirs(arguments.out, exist_ok=True)
    python = os.path.join(environment, "bin", "python")
    program = os.path.join(HERE, PROGRAMS[arguments.peer])
    options = ["--out", os.path.abspath(arguments.out), *(["--check"] if arguments.check else [])]
    for name in options_of(arguments.peer):
        options += [f"--{name}", str(getattr(arguments, name))]
    # The working directory too: peers leave files there, such as Spark's metastore.
    os.chdir(arguments.out)
    peer_environment = {
        **os.environ,
        "PATH": f"{os.path.join(environment, 'bin')}:{os.environ.get('PATH', '')}",
        "PEER_JARS": os.path.join(environment, "jars"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TZ": "UTC",
    }
    # Another installation must not be picked up.
    for name in ["SPARK_HOME", "FLINK_HOME", "HADOOP_CONF_DIR", "PYTHONPATH", "PYTHONHOME"]:
        peer_environment.pop(name, None)
    adopt_descendants()
    process = subprocess.Popen([python, program, *options], env=peer_environment, stdin=subprocess.DEVNULL)
    status = process.wait()
    # A JVM that outlives the Python that started it: its end, and its CPU time, belong to the run.
    try:
        while True:
            os.wait()
    except ChildProcessError:
        pass
    for name in ["counts.csv", "checked.json"] if arguments.check else ["result.json"]:
        if status == 0 and not os.path.exists(name):
            sys.exit(f"{arguments.peer} left no {name}")
    sys.exit(status if status >= 0 else 128 - status)


def adopt_descendants():
    """Makes orphaned descendants children of this process, where the system can (prctl, PR_SET_CHILD_SUBREAPER)."""
    PR_SET_CHILD_SUBREAPER = 36
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl:
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


main()
