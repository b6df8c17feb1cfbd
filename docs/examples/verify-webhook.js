// verify-webhook.js - a back end that takes what `amocrmctl deliver` posts, and believes it only
// with a good signature.
//
//     WEBHOOK_SECRET='whsec_...' PORT=3000 node verify-webhook.js
//
// WEBHOOK_SECRET is the value of [deliver] secret; two of them, separated by a space, while one is
// being replaced.  Each good event is written to standard output, one line each.
// Nothing but Node is needed.
'use strict';

const crypto = require('node:crypto');
const http = require('node:http');

const TOLERANCE_S = 300;   // how far the sender's clock may be from ours
const BODY_MAX = 32 << 20; // bytes; amocrmctl sends no longer event

function readSecrets(text) {
	const secrets = (text || '').split(' ').filter(Boolean);

	if (secrets.length === 0 || !secrets.every((secret) => secret.startsWith('whsec_')))
		throw new Error('WEBHOOK_SECRET must be whsec_..., or two of them');
	return secrets.map((secret) => Buffer.from(secret.slice('whsec_'.length), 'base64'));
}

// In a time that tells nothing of where they differ.
function sameText(a, b) {
	const left = Buffer.from(a);
	const right = Buffer.from(b);

	return left.length === right.length && crypto.timingSafeEqual(left, right);
}

// Why the request is not to be believed; '' when it is.  body is a Buffer of the bytes as they
// came: parsing and writing JSON again would change them.
function refusal(keys, headers, body, now) {
	const id = headers['webhook-id'];
	const timestamp = headers['webhook-timestamp'];
	const signatures = headers['webhook-signature'];
	let good = false;

	if (!id || !timestamp || !signatures)
		return 'a webhook- header is missing';
	if (!/^[0-9]{1,12}$/.test(timestamp) || Math.abs(now - Number(timestamp)) > TOLERANCE_S)
		return 'the timestamp is not of now';
	for (const key of keys) {
		const mac = crypto.createHmac('sha256', key);

		mac.update(`${id}.${timestamp}.`);
		mac.update(body);
		const expected = `v1,${mac.digest('base64')}`;
		for (const signature of signatures.split(' '))
			good = sameText(signature, expected) || good;
	}
	return good ? '' : 'no signature is right';
}

// Work on the event here, or better: store it, and work on it after the answer.  The same event may
// come again, so remember its id and take it once.
function take(event) {
	process.stdout.write(`${JSON.stringify(event)}\n`);
}

function answer(response, status, text) {
	response.writeHead(status, { 'Content-Type': 'text/plain' });
	response.end(`${text}\n`);
}

function receive(keys, request, response) {
	const parts = [];
	let length = 0;

	if (request.method !== 'POST') {
		response.setHeader('Allow', 'POST');
		return answer(response, 405, 'POST only');
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
		const why = refusal(keys, request.headers, body, Date.now() / 1000);

		if (why !== '')
			return answer(response, 401, why);
		try {
			take(JSON.parse(body));
		} catch (error) {
			console.error(error);
			return answer(response, 500, 'not taken'); // it will be sent again
		}
		return answer(response, 200, 'taken');
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
