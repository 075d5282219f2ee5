#!/usr/bin/env python3
"""Prints the crates that are compiled for a target, in the format of cargo's SBOM precursor.

    install/tools/list_crates.py TARGET

cargo-auditable puts this list into the binary. Its own list is that of `cargo metadata`, which also has crates of features that
are off (openssl) and crates that only tests need on this target. `cargo tree` has neither.
"""

import json
import subprocess
import sys

ROOT = "docker-credential-icr"


def edges(target, kinds):
    """Returns the crates with their dependencies, in the order of their first appearance. `None` is above the root."""
    output = subprocess.run(
        ["cargo", "tree", "--quiet", "--locked", "--package", ROOT, "--target", target, "--edges", kinds, "--prefix", "depth",
         "--format", "|{p}"], check=True, capture_output=True, text=True).stdout
    found, path = {}, []
    for line in output.splitlines():
        depth, _, crate = line.partition("|")
        if not crate:
            continue
        name, version = crate.split()[:2]
        it = (name, version[1:], "(proc-macro)" in crate)
        path[int(depth):] = [it]
        found.setdefault(it, set())
        if len(path) > 1:
            found[path[-2]].add(it)
    return found


def linked(graph):
    """Returns the crates that are in the binary: procedural macros, and what they need, run only while it is compiled."""
    found, waiting = set(), [next(iter(graph))]
    while waiting:
        it = waiting.pop()
        if it not in found and not it[2]:
            found.add(it)
            waiting.extend(graph[it])
    return found


def main():
    target = sys.argv[1]
    in_binary = linked(edges(target, "normal"))
    graph = edges(target, "normal,build")
    root = next(iter(graph))
    crates = [root, *sorted(set(graph) - {root})]
    positions = {crate: index for index, crate in enumerate(crates)}

    def identifier(crate):
        source = "path+file:///source" if crate == root else "registry+https://github.com/rust-lang/crates.io-index"
        return f"{source}#{crate[0]}@{crate[1]}"

    def dependencies(crate):
        # Each crate is listed once below the root, because cargo-auditable follows each way to a crate.
        for it in crates[1:] if crate == root else ():
            yield {"index": positions[it], "kind": "normal" if it in in_binary else "build"}

    json.dump({
        "version": 1,
        "root": 0,
        "crates": [{"id": identifier(it), "kind": ["lib"], "features": [], "dependencies": list(dependencies(it))} for it in crates],
        "rustc": {"version": "", "wrapper": None, "workspace_wrapper": None, "commit_hash": "", "host": "", "verbose_version": ""},
    }, sys.stdout, indent=1)


main()
