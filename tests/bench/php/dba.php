<?php
// Writes the connection into a DBA file; prints the handler that it used, or nothing.
$facts = json_decode(file_get_contents($argv[1]), true);
foreach (['gdbm', 'lmdb', 'db4', 'qdbm'] as $handler) {
	if (!extension_loaded('dba') || !in_array($handler, dba_handlers(), true))
		continue;
	$db = dba_open($facts['database'], 'n', $handler);
	dba_insert('app:', 'connection:1:1', $db);
	dba_insert('connection:1:1', json_encode($facts['connection']), $db);
	dba_close($db);
	echo $handler;
	break;
}
