#!/usr/bin/env node
// A child that misbehaves as told by the camera's name in its arguments. It plays a real recording to standard output.
import fs from 'node:fs';

const [film, mode] = (process.env.FAKE_FFMPEG ?? '').split('|');
const bytes = fs.readFileSync(film);
const keepAlive = setInterval(() => {}, 1000);
if (mode === 'deaf') {
  process.on('SIGTERM', () => {});
  process.stdin.on('data', () => {});
}
if (mode === 'polite')
  process.stdin.on('data', (key) => {
    if (key.toString().includes('q')) {
      fs.writeFileSync(`${film}.asked`, 'q');
      process.exit(0);
    }
  });
if (mode === 'wrong') {
  process.stderr.write('Error opening rtsp://admin:rat-bi-mat@camera/x: Server returned 401 Unauthorized\n');
  process.exit(1);
}
if (mode === 'nonsense') process.stdout.write(Buffer.alloc(4096, 0x41));
else if (mode === 'dies') process.stdout.write(bytes, () => process.exit(0));
else if (mode !== 'mute') process.stdout.write(bytes);
if (mode === 'late') setTimeout(() => process.stdout.write(bytes), 3500);
if (mode === 'endless') clearInterval(keepAlive);
