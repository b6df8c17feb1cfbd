"""What may happen to a file of the store: each function damages a shard, or replaces it."""

import os
import shutil

HEADER = 64     # bytes of GDBM's header that are overwritten
BLOCK = 4096


def emptied(file):
    file.write_bytes(b"")


def cut(file):
    """Keeps the header only."""
    file.write_bytes(file.read_bytes()[:BLOCK])


def cut_in_the_header(file):
    file.write_bytes(file.read_bytes()[:100])


def one_block_of_zeros(file):
    """GDBM's directory of buckets."""
    held = bytearray(file.read_bytes())
    held[BLOCK:2 * BLOCK] = bytes(BLOCK)
    file.write_bytes(held)


def all_zeros(file):
    file.write_bytes(bytes(len(file.read_bytes())))


def garbage_for_a_header(file):
    held = bytearray(file.read_bytes())
    held[:HEADER] = b"\xa5" * HEADER
    file.write_bytes(held)


def text(file):
    file.write_text("this is not a database\n" * 400)


def a_folder(file):
    file.unlink()
    file.mkdir()
    shutil.chown(file, file.parent.stat().st_uid, file.parent.stat().st_gid)


def a_fifo(file):
    file.unlink()
    os.mkfifo(file, 0o600)
    os.chown(file, file.parent.stat().st_uid, file.parent.stat().st_gid)


def a_dangling_link(file):
    file.unlink()
    file.symlink_to("/nowhere/at/all")


def a_link_to_a_device(file):
    file.unlink()
    file.symlink_to("/dev/zero")


def a_link_to_itself(file):
    file.unlink()
    file.symlink_to(file.name)


ALL = (emptied, cut, cut_in_the_header, one_block_of_zeros, all_zeros, garbage_for_a_header, text,
       a_folder, a_fifo, a_dangling_link, a_link_to_a_device, a_link_to_itself)


def name_of(damage):
    return damage.__name__.replace("_", " ")
