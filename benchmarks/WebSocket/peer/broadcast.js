// The plain peer: `ws` sends one frame a second to everybody, serialised once. Usage: node broadcast.js PORT TEMPLATE, where @now@ in the template is the time.
const { WebSocketServer, Sender } = require('ws');
const [port, template] = [Number(process.argv[2]), process.argv[3]];
const server = new WebSocketServer({ host: '127.0.0.1', port, perMessageDeflate: false, clientTracking: true, backlog: 4096 });
server.on('connection', socket => socket.on('error', () => {}));
server.on('listening', () => console.log('ready'));
const started = performance.now();
let beat = 0;
(function next() {
    setTimeout(() => {
        const text = template.replace('@now@', new Date().toISOString());
        // Framed once for all, as its documentation advises for broadcasts.
        const frame = Sender.frame(Buffer.from(text), { fin: true, rsv1: false, opcode: 1, mask: false, readOnly: false });
        for (const client of server.clients) {
            if (client.readyState === 1 && client._socket.writableLength < 65536)
                for (const part of frame) client._socket.write(part);
        }
        next();
    }, Math.max(0, started + ++beat * 1000 - performance.now()));
})();
