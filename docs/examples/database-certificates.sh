#!/bin/sh
# database-certificates.sh - TLS certificates for the database hosts, for docs/several-hosts.md.
#
#   sh database-certificates.sh db1.example.com db2.example.com db3.example.com
#
# Writes to the current folder a certificate authority (ca.pem, ca.key), unless it is there already,
# and for each host NAME.pem and NAME.key, valid for ten years.  Keep ca.key away from the hosts.
set -eu
umask 077

new_key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"

if [ ! -e ca.key ]; then
	openssl req -x509 -sha256 -days 3650 $new_key -subj "/CN=amo-crm databases" \
	    -addext keyUsage=critical,keyCertSign,cRLSign -keyout ca.key -out ca.pem
fi
for host; do
	openssl req -new $new_key -subj "/CN=$host" -keyout "$host.key" -out "$host.csr"
	# also for clients: Patroni and etcd show the same certificate when they connect to other hosts
	printf '%s\n' "subjectAltName = DNS:$host" "extendedKeyUsage = serverAuth, clientAuth" |
	    openssl x509 -req -sha256 -days 3650 -CA ca.pem -CAkey ca.key -CAcreateserial \
	        -extfile /dev/stdin -in "$host.csr" -out "$host.pem"
	rm "$host.csr"
done
chmod 644 ./*.pem
