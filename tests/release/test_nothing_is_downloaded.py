# SPDX-License-Identifier: MIT
"""What users of other tools complain about when they install: it cannot be said of this zip (``docs/peers.md``)."""

from __future__ import annotations

import ast
import io
import tomllib
import zipfile

REACHES_OUT = {
    *("ensurepip", "ftplib", "http", "httplib2", "pip", "requests", "smtplib", "socket", "ssl", "urllib", "urllib3"),
    *("asyncio", "xmlrpc", "websockets", "zmq", "webbrowser"),
}
"""Modules that download, install, or talk to another machine."""


def our_sources(archive):
    """Python files of the add-on and of our own wheel, by name."""
    with zipfile.ZipFile(archive) as zipped:
        names = zipped.namelist()
        found = {name: zipped.read(name) for name in names if name.endswith(".py")}
        (wheel,) = (name for name in names if "bdfm_infer" in name and name.endswith(".whl"))
        with zipfile.ZipFile(io.BytesIO(zipped.read(wheel))) as inner:
            found |= {name: inner.read(name) for name in inner.namelist() if name.endswith(".py")}
    return found


def imported(source):
    """Top-level packages that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0]
        elif isinstance(node, ast.Constant) and node.value in ("pip", "ensurepip", "curl", "wget"):
            yield node.value


def test_dependencies_cannot_fail_to_install(archive):
    """Nothing is left to be installed: every package comes in the zip, and no line of ours installs or downloads."""
    sources = our_sources(archive)
    assert len(sources) > 100
    assert {name: reached for name, text in sources.items() if (reached := REACHES_OUT & set(imported(text)))} == {}
    with zipfile.ZipFile(archive) as zipped:
        manifest = tomllib.loads(zipped.read("blender_manifest.toml").decode())
    assert "network" not in manifest.get("permissions", {})
    assert len(manifest["wheels"]) >= 5


def test_no_login_and_no_address(archive):
    """No account, no server, no footage that leaves the machine: no address of one stands in the code."""
    addresses = {
        name: node.value
        for name, text in our_sources(archive).items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "://" in node.value
    }
    assert addresses == {}
