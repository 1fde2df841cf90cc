// Node's two clients: fetch (undici) and http. Prints one line of JSON.
import http from 'node:http';

const base = process.argv[2];
const said = {};
const echo = await (await fetch(`${base}/echo?a=%20b`, {
  method: 'POST', body: 'h\u00e9llo', headers: {'X-A': 'b'},
})).json();
said.echo = [echo.method, echo.path, echo.size];
said.parallel = (await Promise.all(
  Array.from({length: 20}, async (_, n) => (await (await fetch(`${base}/echo?n=${n}`)).json()).path),
)).length;
const stream = new ReadableStream({
  start(control) {
    for (let n = 0; n < 50; n++) control.enqueue(new TextEncoder().encode('x'.repeat(1000)));
    control.close();
  },
});
said.streamed = await (await fetch(`${base}/sink`, {method: 'POST', body: stream, duplex: 'half'})).text();
const agent = new http.Agent({keepAlive: true, maxSockets: 1});
const plain = (method, path, body) => new Promise((done, fail) => {
  const asked = http.request(`${base}${path}`, {method, agent}, answer => {
    let size = 0;
    answer.on('data', piece => { size += piece.length; });
    answer.on('end', () => done([answer.statusCode, size, answer.complete]));
  });
  asked.on('error', fail);
  asked.end(body);
});
said.head = await plain('HEAD', '/file');
said.file = await plain('GET', '/file');
said.big = await plain('GET', '/big/3?chunked=1');
agent.destroy();
console.log(JSON.stringify(said));
