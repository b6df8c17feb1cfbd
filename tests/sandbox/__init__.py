"""A mock amoCRM server, and our programs configured to use it.

The tests and `make run` need the same things, so they are in this package:

    the mock server  amocrm.py and its parts: oauth, tokens, subscriptions, limits, faults, record,
                     listen, pki, consent, control (commands over HTTP), hooks (the requests that
                     amoCRM itself sends); and receiver.py, a back end that receives our deliveries
    the set-up       site.py (our programs in a folder of their own, configured), servers.py (the
                     programs run bare, behind Apache or behind lighttpd), web.py (an HTTP client),
                     process.py
    the database     cluster.py (three PostgreSQL servers), postgresql_proxy.py (a bad network in
                     front of them)

Only Python's standard library, the openssl command and psql are used.
"""
