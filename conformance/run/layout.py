"""What a run file is made of: its tables, and how one is told from another file."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

FORMAT = 1
_MAGIC = b"SQLite format 3\0"
SCHEMA = """
CREATE TABLE manifest  (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (path TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE files     (document TEXT, name TEXT, data BLOB NOT NULL, PRIMARY KEY (document, name));
CREATE TABLE targets   (name TEXT PRIMARY KEY, info TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE items     (number INTEGER PRIMARY KEY, "case" TEXT, "hash" TEXT, pair TEXT,
                        target TEXT, call TEXT);
CREATE TABLE outcomes  (target TEXT, call TEXT, kind TEXT NOT NULL, duration REAL NOT NULL,
                        message BLOB NOT NULL, PRIMARY KEY (target, call)) WITHOUT ROWID;
CREATE TABLE signatures (target TEXT, api TEXT, signature TEXT NOT NULL, PRIMARY KEY (target, api));
"""
LATER = """
CREATE TABLE IF NOT EXISTS variants (target TEXT, call TEXT, behaviour TEXT, message BLOB NOT NULL,
                        PRIMARY KEY (target, call, behaviour)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS plain (key TEXT PRIMARY KEY, data TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS records (number INTEGER PRIMARY KEY, record TEXT NOT NULL);
"""
"""Tables that came later: `plain`, the data of case files by `yamlmarks.key`; `variants`, what a
call did otherwise when it was repeated; `records`, what the gate reads, derived by the judge that
the manifest names as ``judged_by``."""


def was_run_file(path: Path) -> bool:
    """Tell whether the file at `path` was cut or spoilt, and is not simply something else."""
    with path.open("rb") as file:
        head = file.read(len(_MAGIC))
    if head not in (b"", _MAGIC):
        return False
    try:
        with contextlib.closing(sqlite3.connect(path)) as database:
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    except sqlite3.DatabaseError:
        return True
    return not tables or "manifest" in tables
