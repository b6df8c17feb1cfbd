"""A database for a site with [store] engine = postgresql."""

import json

from sandbox.cluster import ROLE

NAME = "engine"     # of no other database of the cluster

# A database that is new for each test would take a second of it, and 25 MB.
EMPTY = f"""
SET synchronous_commit = local;
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid();
DROP SCHEMA IF EXISTS other CASCADE;
DROP SCHEMA public CASCADE;
CREATE SCHEMA public AUTHORIZATION pg_database_owner;
GRANT USAGE ON SCHEMA public TO PUBLIC;
ALTER ROLE {ROLE} IN DATABASE {NAME} RESET ALL;
ALTER DATABASE {NAME} OWNER TO {ROLE};
"""


class BareDatabase:
    """A database without tables; there is one in a cluster."""

    def __init__(self, site, cluster):
        self.site = site
        self.cluster = cluster
        self.name = NAME
        if cluster.psql(f"SELECT 1 FROM pg_database WHERE datname = '{NAME}'", database="postgres"):
            self.psql(EMPTY)
        else:
            cluster.new_database(NAME)

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
