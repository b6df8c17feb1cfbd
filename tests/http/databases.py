"""Databases for a site with [store] engine = postgresql."""

import itertools
import json

numbers = itertools.count()


class Database:
    """A database without tables."""

    def __init__(self, site, cluster):
        self.site = site
        self.cluster = cluster
        self.name = f"database{next(numbers)}"
        cluster.new_database(self.name)

    def settings(self, **words):
        """The keys of [store]; `words` replace some of [store] database."""
        return {"store_engine": "postgresql",
                "store_database": self.cluster.conninfo(self.name, **words),
                "store_password_file": self.cluster.password_file}

    def configure(self, **words):
        self.site.configure(**self.settings(**words))

    def psql(self, sql):
        return self.cluster.psql(sql, database=self.name)

    def keys(self):
        """The ids and digests that are recorded."""
        rows = self.psql("SELECT substr(name, 5) || ' ' || value FROM meta WHERE name LIKE 'key:%'")
        return dict(row.split() for row in rows.split("\n") if row)

    def state(self):
        return json.loads(self.site.ctl("engine", "state", "--json").stdout)
