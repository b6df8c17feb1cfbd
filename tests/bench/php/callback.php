<?php
// For comparison only: the redirect page without a code, rendered by PHP.
declare(strict_types=1);

$facts = json_decode(file_get_contents($_SERVER['BENCH_FACTS']), true);
if (isset($_GET['code']) || isset($_GET['error'])) {
	http_response_code(501);
	exit;
}
$query = http_build_query(['error' => 'missing_code',
	'error_description' => 'No authorization code was sent.'], '', '&', PHP_QUERY_RFC3986);
$language = 'en';
foreach (explode(',', $_SERVER['HTTP_ACCEPT_LANGUAGE'] ?? '') as $range) {
	$wanted = substr(trim($range), 0, 2);
	if (in_array($wanted, ['en', 'uk', 'ru'], true)) {
		$language = $wanted;
		break;
	}
}
foreach ($facts['headers'] as $name => $value)
	header("$name: $value");
header('Cache-Control: no-store');
header('X-Content-Type-Options: nosniff');
header("Content-Language: $language");
header('Content-Type: text/html; charset=utf-8');
echo str_replace('{{link}}', htmlspecialchars($facts['deep_link'] . '?' . $query),
	file_get_contents($facts['template']));
