"""Which rows of a test's table run behind which web server in `make check`."""

import pytest

from conftest import in_turn


@pytest.mark.parametrize("servers", range(1, 6))
def test_each_row_and_each_server_has_a_turn(servers):
    for rows in range(1, 30):
        pairs = list(in_turn([[(row, server) for row in range(rows)] for server in range(servers)]))
        assert len(pairs) == len(set(pairs)) == max(rows, servers)
        assert {row for row, _ in pairs} == set(range(rows))
        assert {server for _, server in pairs} == set(range(servers))


def test_a_server_has_rows_of_either_method():
    rows = [(url, method) for url in range(8) for method in ("GET", "POST")]
    pairs = list(in_turn([[(server, row) for row in rows] for server in range(4)]))
    for server in range(4):
        assert {method for of, (_, method) in pairs if of == server} == {"GET", "POST"}
