// Runs WASI preview 1 command modules, one after the other, inside a sandbox. Started warm; waits for a request on standard input:
//   4 bytes big-endian length of the header, the header (JSON: token, module_bytes, stdin_bytes, args, env), the module, the module's standard input.
// The module's own standard output and error are ours. After each task both get the token (which the module cannot know), {"exit", "error"} and a newline.
import fs from 'node:fs';
import { WASI } from 'node:wasi';

function readExactly(count) {
  const bytes = Buffer.allocUnsafe(count);
  for (let at = 0; at < count;) {
    const got = fs.readSync(0, bytes, at, count - at, null);
    if (got === 0) process.exit(0);
    at += got;
  }
  return bytes;
}

function writeAll(fd, text) {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) at += fs.writeSync(fd, bytes, at);
}

function run(request, module, stdin) {
  fs.writeFileSync('/tmp/stdin', stdin);
  const input = fs.openSync('/tmp/stdin', 'r');
  try {
    const wasi = new WASI({
      version: 'preview1', args: ['module', ...request.args], env: request.env, stdin: input, returnOnExit: true,
      preopens: { '/work': '/work', '.': '/work' },
    });
    const instance = new WebAssembly.Instance(new WebAssembly.Module(module), wasi.getImportObject());
    return { exit: wasi.start(instance) ?? 0 };
  } catch (fault) {
    // 134 is what native engines answer for a trap.
    return { exit: 134, error: String(fault?.message ?? fault).slice(0, 300) };
  } finally {
    fs.closeSync(input);
  }
}

for (;;) {
  const request = JSON.parse(readExactly(readExactly(4).readUInt32BE(0)).toString('utf8'));
  const module = readExactly(request.module_bytes);
  const end = run(request, module, readExactly(request.stdin_bytes));
  const line = `${request.token}${JSON.stringify(end)}\n`;
  writeAll(1, line);
  writeAll(2, line);
}
