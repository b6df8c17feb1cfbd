<?php
// For comparison only: an event appended and synced, by PHP.
declare(strict_types=1);

$facts = json_decode(file_get_contents($_SERVER['BENCH_FACTS']), true);
header('Cache-Control: no-store');
header('X-Content-Type-Options: nosniff');
header('Content-Type: application/json');
$account = (int)($_POST['account']['id'] ?? 0);
if ($account !== $facts['connection']['account_id']) {
	http_response_code(403);
	exit('{"success":false,"error":"forbidden"}');
}
$events = [];
foreach ($_POST as $name => $actions)
	if ($name !== 'account')
		foreach (array_keys($actions) as $action)
			$events[] = "$name.$action";
$now = DateTimeImmutable::createFromFormat('U.u', sprintf('%.6F', microtime(true)));
$line = json_encode(['id' => hash('sha256', file_get_contents('php://input')),
	'received_at' => $now->format('Y-m-d\TH:i:s.v\Z'), 'account_id' => $account,
	'subdomain' => $_POST['account']['subdomain'] ?? null, 'events' => $events,
	'request_id' => $_SERVER['HTTP_X_AMOCRM_REQUESTID'] ?? null, 'payload' => $_POST]);
$journal = fopen($facts['journal'], 'a');
if (fwrite($journal, "$line\n") === false || !fdatasync($journal)) {
	http_response_code(503);
	exit('{"success":false,"error":"server_error"}');
}
echo '{"success":true}';
