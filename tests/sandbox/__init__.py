"""A stand-in for amoCRM, and our programs set up against it.

The tests and `make run` need the same two things, so they live here together:

    the stand-in    amocrm.py, and what it is made of: oauth, tokens, subscriptions, limits, faults,
                    record, listen, pki, consent, control (what it is asked), hooks (what it sends
                    by itself); and receiver.py, a back end that events are posted on to
    the set-up      site.py (our programs in a folder of their own, configured), servers.py (run
                    bare, behind Apache, behind lighttpd), web.py (asking them), process.py

Nothing but Python's standard library and the openssl command is used.
"""
