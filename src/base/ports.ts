import net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

export type PortState = 'free' | 'taken' | 'forbidden' | 'no-such-address';

function tryPort(host: string, port: number): Promise<PortState> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve('taken');
      else if (error.code === 'EACCES') resolve('forbidden');
      else if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND') resolve('no-such-address');
      else reject(error);
    });
    server.listen(port, host, () => server.close(() => resolve('free')));
  });
}

/**
 * Waits until a port can be listened on.
 * @param port 0 = any, always free
 * @param busy told once when it is taken and waited for
 * @returns how it is when it is free, or after `withinMs`
 */
export async function waitForPort(
  host: string,
  port: number,
  withinMs: number,
  busy: () => void,
): Promise<PortState> {
  const deadline = Date.now() + withinMs;
  for (let told = false; ; ) {
    const state = port === 0 ? 'free' : await tryPort(host, port);
    if (state !== 'taken' || Date.now() >= deadline) return state;
    if (!told) busy();
    told = true;
    await pause(250);
  }
}
