"""A database of a cluster with our tables in it, which tests empty."""

import json
import re
import subprocess
import time

from . import process
from .site import BUILD, ROOT

SCHEMA = (ROOT / "libexec" / "postgresql" / "schema.sql").read_text()
TABLES = re.findall(r"^CREATE TABLE IF NOT EXISTS (\w+)", SCHEMA, re.MULTILINE)
OTHERS = ("datname = current_database() AND backend_type = 'client backend'"
          " AND pid <> pg_backend_pid()")


class EmptiedDatabase:
    """`settings` are the keys of [store] that name it."""

    def __init__(self, cluster, name, build=BUILD):
        self.cluster, self.name = cluster, name
        cluster.new_database(name)
        self.settings = {"engine": "postgresql", "database": cluster.conninfo(name),
                         "password_file": cluster.password_file}
        self._init(build)

    def _init(self, build):
        request = {"do": "init", "deadline_ms": int((time.monotonic() + process.PATIENCE) * 1000),
                   "section": 0, "database": self.settings["database"],
                   "password_file": str(self.settings["password_file"])}
        done = subprocess.run([build / "libexec" / "amo-crm-postgresql"], env={},
                              input=json.dumps(request) + "\n", capture_output=True, text=True,
                              timeout=process.PATIENCE, **process.as_web_user())
        if "schema" not in json.loads(done.stdout or "{}"):
            raise RuntimeError(f"the tables were not created: {done.stdout}{done.stderr}")

    def empty(self):
        """Ends what programs that a test has left are doing, too."""
        self.psql(f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {OTHERS}"
                  " AND state <> 'idle'; SET synchronous_commit = local;"
                  + "".join(f"DELETE FROM {table};" for table in TABLES))

    def psql(self, sql):
        return self.cluster.psql(sql, database=self.name)
