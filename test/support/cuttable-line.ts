import { once } from 'node:events';
import net from 'node:net';

/** A line to a server on this machine that can be cut and mended: a network that goes away and comes back. */
export interface CuttableLine {
  port: number;
  /** breaks every connection, and each new one at once */
  cut(): void;
  mend(): void;
  /** connections that were tried while it was cut, all times together */
  readonly refused: number;
  close(): Promise<void>;
}

/** Opens a line that leads to `port`. */
export async function openLine(port: number): Promise<CuttableLine> {
  const sockets = new Set<net.Socket>();
  let whole = true;
  let refused = 0;
  const server = net.createServer((near) => {
    if (!whole) {
      refused += 1;
      near.destroy();
      return;
    }
    const far = net.connect(port, '127.0.0.1');
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.on('error', () => {});
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const breakAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as net.AddressInfo).port,
    cut() {
      whole = false;
      breakAll();
    },
    mend() {
      whole = true;
    },
    get refused() {
      return refused;
    },
    async close() {
      server.close();
      breakAll();
      await once(server, 'close');
    },
  };
}
