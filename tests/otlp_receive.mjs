// SPDX-License-Identifier: MIT
// otlp_receive.mjs MODULES FILE... - an OTLP/HTTP receiver takes each file at /v1/logs (*.otlp: JSON, a request a line; others:
// protobuf) and prints what it has understood, an object a request.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const [modules, ...files] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const { MockOtlpServer } = require('@elastic/mockotlpserver');
const { JSONPrinter } = require('@elastic/mockotlpserver/lib/printers.js');
const { createLogger } = require('@elastic/mockotlpserver/lib/luggite.js');

const log = createLogger({ name: 'test' });
log.level('error');
const server = new MockOtlpServer({ log, services: ['http'], httpHostname: '127.0.0.1', httpPort: 0 });
await server.start();
new JSONPrinter(log, 0, ['logs']).subscribe();

async function post(body, type) {
	const answer = await fetch(new URL('/v1/logs', server.httpUrl), {
		method: 'POST', body, headers: { 'Content-Type': `application/${type}` },
	});
	if (!answer.ok)
		throw new Error(`${answer.status} ${await answer.text()}`);
}

for (const file of files) {
	if (!file.endsWith('.otlp'))
		await post(readFileSync(file), 'x-protobuf');
	else
		for (const line of readFileSync(file, 'utf8').split('\n').filter(Boolean))
			await post(line, 'json');
}
setImmediate(() => process.exit(0));
