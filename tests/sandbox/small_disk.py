"""A disk that the primary of a cluster fills: a file system in memory over one folder of its data.

It is in a mount namespace of the server's own, so that no mount can remain.  What is on it is gone
when the server ends, which then has to join the cluster again, with a copy of another's data.
"""

import subprocess

from . import process

# A child namespace of the user may mount.  The folder stays the working directory below the mount.
UNSHARE = ["unshare", "--map-current-user", "--mount", "--keep-caps"]
SCRIPT = ('cd "$1" && size=$(($(du -sm . | cut -f1) + $2)) &&'
          ' mount -t tmpfs -o "size=${size}m,mode=0700" none "$1" && cp -R . "$1" && cd / &&'
          ' shift 2 && exec "$@"')


def may_mount():
    return subprocess.run([*UNSHARE, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True,
                          **process.as_web_user()).returncode == 0


class SmallDisk:
    """`folder` is relative to the data of the primary, which is started again with the disk over
    it.  `room` is in MiB, beside the files that are there."""

    def __init__(self, cluster, folder, room):
        self.cluster, self.node = cluster, cluster.primary
        path = self.node.data / folder
        self._ballast = path / "ballast"
        cluster.await_standbys()
        cluster.stop(self.node)
        cluster.start(self.node, [*UNSHARE, "sh", "-c", SCRIPT, "sh", path, str(room)])
        cluster.await_standbys()

    def fill(self):
        self._run(f"cat /dev/zero > {self._ballast} 2> /dev/null || true")

    def free(self):
        self._run(f"rm -f {self._ballast}")

    def _run(self, command):
        """As the server, which alone sees the disk."""
        self.cluster.psql(f"COPY (SELECT WHERE false) TO PROGRAM '{command}'", self.node,
                          database="postgres")

    def remove(self):
        """Another node becomes the primary."""
        self.node.kill()
        self.cluster.heal()


def of_database(cluster, name):
    """The folder of a database."""
    oid = cluster.psql(f"SELECT oid FROM pg_database WHERE datname = '{name}'", database="postgres")
    return f"base/{oid}"
