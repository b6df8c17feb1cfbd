// verify-webhook.js - a back end that receives the events sent by `amocrmctl deliver`, and accepts
// them only with a valid signature.
//
//     WEBHOOK_SECRET='whsec_...' PORT=3000 node verify-webhook.js
//
// WEBHOOK_SECRET is the value of [deliver] secret: one secret, or two separated by a space while
// one is being replaced.  Each accepted event is written to standard output, one per line.
// The program needs only Node.
'use strict';

const crypto = require('node:crypto');
const http = require('node:http');

const TOLERANCE_S = 300;   // by how much the sender's clock may differ from ours
const BODY_MAX = 32 << 20; // bytes; amocrmctl sends no larger event

function readSecrets(text) {
	const secrets = (text || '').split(' ').filter(Boolean);

	if (secrets.length === 0 || !secrets.every((secret) => secret.startsWith('whsec_')))
		throw new Error('WEBHOOK_SECRET must be whsec_..., or two of them');
	return secrets.map((secret) => Buffer.from(secret.slice('whsec_'.length), 'base64'));
}

// Compares in constant time.
function sameText(a, b) {
	const left = Buffer.from(a);
	const right = Buffer.from(b);

	return left.length === right.length && crypto.timingSafeEqual(left, right);
}

// Returns the reason to refuse the request, or '' if its signature is valid.  body is a Buffer of
// the bytes as received: parsing and serializing the JSON again would change them.
function refusal(keys, headers, body, now) {
	const id = headers['webhook-id'];
	const timestamp = headers['webhook-timestamp'];
	const signatures = headers['webhook-signature'];
	let good = false;

	if (!id || !timestamp || !signatures)
		return 'a webhook-* header is missing';
	if (!/^[0-9]{1,12}$/.test(timestamp) || Math.abs(now - Number(timestamp)) > TOLERANCE_S)
		return 'the timestamp differs too much from the current time';
	for (const key of keys) {
		const mac = crypto.createHmac('sha256', key);

		mac.update(`${id}.${timestamp}.`);
		mac.update(body);
		const expected = `v1,${mac.digest('base64')}`;
		for (const signature of signatures.split(' '))
			good = sameText(signature, expected) || good;
	}
	return good ? '' : 'no signature matches';
}

// Process the event here or, better, store it and process it after the reply.  The same event may
// be sent again, so remember its id and process it once.
function handle(event) {
	process.stdout.write(`${JSON.stringify(event)}\n`);
}

function reply(response, status, text) {
	response.writeHead(status, { 'Content-Type': 'text/plain' });
	response.end(`${text}\n`);
}

function receive(keys, request, response) {
	const parts = [];
	let length = 0;

	if (request.method !== 'POST') {
		response.setHeader('Allow', 'POST');
		return reply(response, 405, 'POST only');
	}
	request.on('data', (part) => {
		length += part.length;
		if (length <= BODY_MAX)
			parts.push(part);
		else
			request.destroy();
	});
	request.on('end', () => {
		const body = Buffer.concat(parts);
		const reason = refusal(keys, request.headers, body, Date.now() / 1000);

		if (reason !== '')
			return reply(response, 401, reason);
		try {
			handle(JSON.parse(body));
		} catch (error) {
			console.error(error);
			return reply(response, 500, 'not accepted'); // it will be sent again
		}
		return reply(response, 200, 'accepted');
	});
}

if (require.main === module) {
	const keys = readSecrets(process.env.WEBHOOK_SECRET);
	const server = http.createServer((request, response) => receive(keys, request, response));

	server.listen(Number(process.env.PORT || 3000), '127.0.0.1', () => {
		console.error(`listening on http://127.0.0.1:${server.address().port}/`);
	});
}

module.exports = { readSecrets, refusal };
