import { once } from 'node:events';
import net from 'node:net';

/** A line to a server on this machine that can be cut and mended: a network that goes away and comes back. */
export interface CuttableLine {
  port: number;
  /** breaks every connection, and each new one at once */
  cut(): void;
  /** nothing passes any more and nobody is told, as when a cable is pulled; what was sent waits */
  freeze(): void;
  mend(): void;
  /** connections that were tried while it was cut, all times together */
  readonly refused: number;
  close(): Promise<void>;
}

/** Opens a line that leads to `port`. */
export async function openLine(port: number): Promise<CuttableLine> {
  const sockets = new Set<net.Socket>();
  const ways = new Set<[from: net.Socket, to: net.Socket]>();
  let frozen = false;
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
      const way: [net.Socket, net.Socket] = [one, other];
      ways.add(way);
      one.on('error', () => {});
      one.on('close', () => {
        sockets.delete(one);
        ways.delete(way);
        other.destroy();
      });
      if (!frozen) one.pipe(other);
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
    freeze() {
      frozen = true;
      for (const [from, to] of ways) from.unpipe(to).pause();
    },
    mend() {
      whole = true;
      if (frozen) for (const [from, to] of ways) from.pipe(to);
      frozen = false;
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
