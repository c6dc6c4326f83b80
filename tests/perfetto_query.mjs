// SPDX-License-Identifier: MIT
// perfetto_query.mjs ASSETS TRACE SQL... - Perfetto's own trace_processor, as WebAssembly in node: the rows that each
// query gives, an array of objects a line. ASSETS is a folder with trace_processor.wasm and its two scripts.
import { readFileSync } from 'node:fs';
import { runInThisContext } from 'node:vm';
import { pathToFileURL } from 'node:url';

const [assets, trace, ...queries] = process.argv.slice(2);
const { EngineBase } = await import(pathToFileURL(`${assets}/engine.mjs`).href);

// The glue is made for a worker of a browser: it is given the bytes, and gives us its bridge.
globalThis.self = globalThis;
globalThis.WorkerGlobalScope = function () {};
globalThis.location = { href: `${pathToFileURL(assets).href}/` };
globalThis.wasmBytes = new Uint8Array(readFileSync(`${assets}/trace_processor.wasm`));
let glue = readFileSync(`${assets}/engine_bundle.node.js`, 'utf8');
for (const [from, to] of [
	['hasMemory64Support();', 'false;'],
	['locateFile: (s) => s,', '$& wasmBinary: globalThis.wasmBytes,'],
	['const wasmBridge = new wasm_bridge_1.WasmBridge();', '$& globalThis.wasmBridge = wasmBridge;'],
]) {
	if (!glue.includes(from))
		throw new Error(`this trace_processor is another one: it has no '${from}'`);
	glue = glue.replace(from, to);
}
console.warn = () => {};
runInThisContext(glue);

class Engine extends EngineBase {
	mode = 'WASM';
	id = 'test';
	constructor(port) {
		super();
		this.port = port;
		port.onmessage = (message) => this.onRpcResponseBytes(message.data);
	}
	rpcSendRequestBytes(bytes) { this.port.postMessage(bytes); }
}

const { port1, port2 } = new MessageChannel();
await globalThis.wasmBridge.initialize(port1);
const engine = new Engine(port2);
await engine.parse(new Uint8Array(readFileSync(trace)));
await engine.notifyEof();
for (const sql of queries) {
	const result = await engine.query(sql);
	const columns = result.columns(), rows = [];
	for (const row = result.iter({}); row.valid(); row.next())
		rows.push(Object.fromEntries(columns.map((name) => [name, row.get(name)])));
	console.log(JSON.stringify(rows, (key, value) => (typeof value === 'bigint' ? value.toString() : value)));
}
process.exit(0);
