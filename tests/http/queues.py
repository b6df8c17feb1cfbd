"""The events and their queue in a database."""

import base64
import contextlib
import itertools
import random
import subprocess

from deliveries import line
from postgresql_helper import Helper
from sandbox import process
from sandbox.cluster import SUPERUSER
from sandbox.servers import find

names = itertools.count()


class Queue:
    """The tables that deliver works on, in a database of their own."""

    def __init__(self, site, cluster):
        self.site = site
        self.cluster = cluster
        self.database = f"queue{next(names)}"
        cluster.new_database(self.database)
        with self.helper() as helper:
            helper.do("init")

    def helper(self):
        return Helper(self.cluster.conninfo(self.database), self.cluster.password_file)

    def psql(self, sql):
        return self.cluster.psql(sql, database=self.database)

    def settings(self):
        return {"store_engine": "postgresql",
                "store_database": self.cluster.conninfo(self.database),
                "store_password_file": self.cluster.password_file}

    def put(self, *events, pending=True, execute=None):
        """Appends events as a webhook does; a pair is an account and the line of its event."""
        sql = ""
        for one in events:
            account, text = one if isinstance(one, tuple) else (one["account_id"], line(one))
            eid = one["id"][:32] if isinstance(one, dict) else f"{random.getrandbits(128):032x}"
            at = f"'{one['received_at']}'" if isinstance(one, dict) else "now()"
            code = base64.b64encode(text.encode()).decode()
            sql += (f"WITH e AS (INSERT INTO event (account_id, id, received_at, line, to_deliver)"
                    f" VALUES ({account or 0}, '{eid}', {at}, decode('{code}', 'base64'), {pending})"
                    f" RETURNING account_id, seq)"
                    f" INSERT INTO pending SELECT account_id, seq FROM e WHERE {pending};\n")
        (execute or self.psql)(sql)

    def pending(self):
        return int(self.psql("SELECT count(*) FROM pending"))

    def claims(self):
        return int(self.psql("SELECT count(*) FROM delivery"))

    def attempts(self, account=5):
        """Those that failed, and the seconds until the next."""
        row = self.psql("SELECT attempts, rejections, extract(epoch FROM next_at - now())::int"
                        f" FROM delivery WHERE account_id = {account}")
        return tuple(map(int, row.split("|")))

    def travel(self, **changes):
        """Makes the next attempts due; attempts=n: as if n had been made."""
        sets = "".join(f", {name} = {value}" for name, value in changes.items())
        self.psql(f"UPDATE delivery SET next_at = 'epoch'{sets}")

    def end_claims(self, pid):
        """The claims of a killed process are over."""
        self.psql(f"UPDATE delivery SET until = 'epoch' WHERE holder LIKE '%:{pid}:%'")

    def dead(self):
        rows = self.psql("SELECT seq, reason FROM dead ORDER BY seq")
        return [row.split("|", 1)[1] for row in rows.split("\n") if row]

    @contextlib.contextmanager
    def transaction(self):
        """A session in which statements are executed, and committed with "COMMIT"."""
        node = self.cluster.primary
        conninfo = f"host={node.folder} port={node.port} dbname={self.database} user={SUPERUSER}"
        with subprocess.Popen([find("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-f", "-", conninfo],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/", text=True,
                              env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
                              preexec_fn=process.die_with_parent) as session:
            def execute(sql):
                """Returns when it has been executed."""
                session.stdin.write(f"{sql};\n\\echo done\n")
                session.stdin.flush()
                said = session.stdout.readline()
                assert said == "done\n", said

            execute("BEGIN")
            yield execute
            session.stdin.close()
