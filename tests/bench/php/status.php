<?php
// For comparison only: the app's token verified and the connection read, by PHP.
declare(strict_types=1);

function unbase64url(string $text): string
{
	return base64_decode(strtr($text, '-_', '+/'));
}

function claims_of(string $authorization, string $secret): ?array
{
	if (!preg_match('/^Bearer ([\w-]+)\.([\w-]+)\.([\w-]+)$/', $authorization, $part))
		return null;
	$signature = hash_hmac('sha256', "$part[1].$part[2]", $secret, true);
	$header = json_decode(unbase64url($part[1]), true);
	if (($header['alg'] ?? null) !== 'HS256' || !hash_equals($signature, unbase64url($part[3])))
		return null;
	$claims = json_decode(unbase64url($part[2]), true);
	return ($claims['exp'] ?? 0) + 60 > time() && is_string($claims['sub'] ?? null) ? $claims : null;
}

$facts = json_decode(file_get_contents($_SERVER['BENCH_FACTS']), true);
header('Cache-Control: no-store');
header('X-Content-Type-Options: nosniff');
header('Content-Type: application/json');
if (claims_of($_SERVER['HTTP_AUTHORIZATION'] ?? '', $facts['secret']) === null) {
	http_response_code(401);
	exit('{"success":false,"error":"invalid_token"}');
}
if ($facts['dba'] !== null) {
	$db = dba_open($facts['database'], 'r', $facts['dba']);
	$connection = json_decode(dba_fetch(dba_fetch('app:', $db), $db), true);
	dba_close($db);
} else {
	$connection = $facts['connection'];
}
echo json_encode(['success' => true, 'data' => ['connected' => true, 'hasTokens' => true,
	'domain' => $connection['host'], 'accountId' => (string)$connection['account_id']]]);
