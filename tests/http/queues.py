"""The events and their queue in a database."""

import base64
import itertools
import random

from deliveries import line
from postgresql_helper import Helper, transaction

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

    def transaction(self):
        return transaction(self.cluster, self.database)
